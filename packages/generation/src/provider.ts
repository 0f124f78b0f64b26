import type { ModelId, Quality, Style } from '@wombat/contract'
import type { PictureType } from './picture-type.ts'

/** A reference image that was downloaded and checked. */
export interface Reference {
  readonly bytes: Buffer
  readonly contentType: PictureType
}

export interface ProviderRequest {
  readonly imageId: string
  readonly model: ModelId
  readonly quality: Quality
  readonly style: Style
  /** The final prompt: after the enhancer, with its style phrase. */
  readonly prompt: string
  /** What the client wrote, for pictures that show it. */
  readonly originalPrompt: string
  readonly width: number
  readonly height: number
  /** Position among the images of one request, from 0. */
  readonly index: number
  /** True asks for lossless PNG bytes. */
  readonly isOriginalPreserved: boolean
  readonly references: readonly Reference[]
  /** Where the references came from, for an upstream that fetches them itself. */
  readonly referenceUrls: readonly string[]
  /** Since the client ordered it. */
  readonly ageMs: number
  /** What an earlier call of this image gave to `onJob`: go on with that job, and begin no other. */
  readonly job?: string | undefined
  /** Faults that the client asked for, for the synthetic provider: contract/simulation.ts. */
  readonly simulate?: string | undefined
  /** Earlier calls for this image whose outcome is unknown; only told to who acts out faults. */
  readonly unclearCalls?: number | undefined
  /**
   * Keeps the name of a job that the upstream goes on with by itself (an id, or the link to a picture that is paid for),
   * before anything else is done, with what is known of its price by then. Rejects when it can't be kept: then go on all
   * the same.
   */
  onJob(job: string, price?: Pick<ProviderImage, 'usage' | 'costMicroUsd'>): Promise<void>
  /** A stable pseudonym of the account, for upstreams that want to know abusers apart. */
  readonly endUser: string
}

export interface ProviderImage {
  /** As the upstream sent them: untrusted, of any size and format. */
  readonly bytes: Buffer
  readonly upstreamId?: string
  /** Tokens and the like, by the upstream's own names. */
  readonly usage?: Readonly<Record<string, number>>
  /** What the upstream charges, in millionths of a US dollar, where it can be known. */
  readonly costMicroUsd?: number
}

/** Something that makes pictures. One call of `generate` is at most one paid picture: it never retries by itself. */
export interface ImageProvider {
  readonly name: string
  /** False when a repeated call costs nothing. */
  readonly isPaid: boolean
  /** It hands on the addresses of references, so nobody need fetch the pictures. */
  readonly takesReferenceUrls?: true
  /** Throws ProviderError for every failure that it understands, and may throw anything else. */
  generate(request: ProviderRequest, signal: AbortSignal): Promise<ProviderImage>
  /** Finds out whether the provider could serve now, without a paid call; throws with the reason. */
  check(): Promise<void>
  close(): Promise<void>
}

/**
 * Why a call failed (providers.md §8).
 * - moderation: refused for its content; final, refunded
 * - bad_reference: a reference image can't be used; final, refunded
 * - mistake: the upstream calls the request wrong, so our adapter is; final, refunded, for the operator
 * - credentials: key, permission or money of the operator; images wait
 * - throttled: asked to slow down; waits as told, not counted
 * - transient: certain that no picture was paid for, try again
 * - no_picture: answered in good order and without a picture or a reason; tried again twice, then final
 * - unknown: sent, outcome not known, maybe paid
 */
export type FailureClass =
  | 'moderation'
  | 'bad_reference'
  | 'mistake'
  | 'credentials'
  | 'throttled'
  | 'transient'
  | 'no_picture'
  | 'unknown'

export interface ProviderErrorOptions extends ErrorOptions {
  /** What the upstream asks for. */
  readonly retryAfterMs?: number | undefined
  /** The upstream serves nobody with this key before that, however long it is: a quota of the day is used up. */
  readonly parkMs?: number | undefined
  /** The job that was given to `onJob` goes on, or its picture is still to be had: nothing new is to be paid. */
  readonly isJobAlive?: boolean | undefined
  /** For the client of a refusal: a category such as "sexual", in small letters. */
  readonly reason?: string | undefined
  readonly upstreamId?: string | undefined
  readonly status?: number | undefined
}

export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly failure: FailureClass
  readonly retryAfterMs: number | undefined
  readonly parkMs: number | undefined
  readonly isJobAlive: boolean
  readonly reason: string | undefined
  readonly upstreamId: string | undefined
  readonly status: number | undefined

  constructor(failure: FailureClass, message: string, options: ProviderErrorOptions = {}) {
    super(message, options)
    this.failure = failure
    this.retryAfterMs = options.retryAfterMs
    this.parkMs = options.parkMs
    this.isJobAlive = options.isJobAlive ?? false
    this.reason = options.reason
    this.upstreamId = options.upstreamId
    this.status = options.status
  }
}
