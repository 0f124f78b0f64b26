import type { ModelId, Quality, Style } from '@wombat/contract'

/** A reference image that was downloaded and checked. */
export interface Reference {
  readonly bytes: Buffer
  readonly contentType: 'image/jpeg' | 'image/png' | 'image/webp'
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
  /** How many calls may be under way at once in one process. */
  readonly concurrency: number
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
 * - unknown: sent, outcome not known, maybe paid
 */
export type FailureClass =
  | 'moderation'
  | 'bad_reference'
  | 'mistake'
  | 'credentials'
  | 'throttled'
  | 'transient'
  | 'unknown'

export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly failure: FailureClass
  readonly retryAfterMs: number | undefined
  readonly upstreamId: string | undefined
  readonly status: number | undefined

  constructor(
    failure: FailureClass,
    message: string,
    options: ErrorOptions & {
      retryAfterMs?: number | undefined
      upstreamId?: string | undefined
      status?: number | undefined
    } = {},
  ) {
    super(message, options)
    this.failure = failure
    this.retryAfterMs = options.retryAfterMs
    this.upstreamId = options.upstreamId
    this.status = options.status
  }
}
