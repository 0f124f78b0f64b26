import { setTimeout as sleep } from 'node:timers/promises'
import { download } from './fetching/download.ts'
import { createGate, createOpenGate } from './fetching/gate.ts'
import { ClosedTargetError } from './fetching/target.ts'
import { pictureType } from './picture-type.ts'
import { ProviderError } from './provider.ts'

export interface LinkOptions {
  readonly vendor: string
  /** PROVIDER_ALLOW_PRIVATE: the upstream stands on a private network, and so do its links. */
  readonly allowPrivate: boolean
  readonly signal: AbortSignal
  readonly timeoutMs?: number | undefined
  readonly maxBytes?: number | undefined
}

const TIMEOUT_MS = 60_000
const FIRST_BYTE_MS = 15_000
const MAX_BYTES = 64 * 1024 * 1024
const REPEAT_AFTER_MS = 500

/**
 * The picture at a link that an upstream has answered, under the rules for references: only public addresses, checked at
 * each redirect. Repeats once what may pass. Throws ProviderError: transient with `isJobAlive` when the link may still
 * work later, so keep it; credentials with `isJobAlive` when it leads where links must not lead; unknown when it is dead
 * or leads to no picture, which is then paid for and lost.
 */
export async function fetchLink(link: string, options: LinkOptions): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await tryLink(link, options)
    } catch (error) {
      const known = toLinkFailure(error, options.vendor)
      if (known.failure !== 'transient' || tries > 1 || options.signal.aborted) {
        throw known
      }
      await sleep(REPEAT_AFTER_MS)
    }
  }
}

function toLinkFailure(error: unknown, vendor: string): ProviderError {
  const known = error instanceof ProviderError ? error : new ProviderError('transient', 'no answer', { cause: error })
  const message = `the link of ${vendor} to its picture: ${known.message}`
  if (known instanceof ClosedTargetError) {
    return closedLink(message)
  }
  return known.failure === 'transient'
    ? new ProviderError('transient', message, { cause: known.cause, isJobAlive: true })
    : new ProviderError('unknown', message, { cause: known.cause })
}

/**
 * A link that we must not follow is the operator's to settle: the picture is there, so nothing is ordered anew, and the
 * route waits for him.
 */
export function closedLink(message: string): ProviderError {
  return new ProviderError(
    'credentials',
    `${message}. If this upstream stands on a private network, set PROVIDER_ALLOW_PRIVATE=true`,
    { isJobAlive: true },
  )
}

async function tryLink(link: string, options: LinkOptions): Promise<Buffer> {
  const tryMs = options.timeoutMs ?? TIMEOUT_MS
  const bytes = await download(link, {
    gate: options.allowPrivate ? createOpenGate() : createGate([]),
    limits: {
      tryMs,
      firstByteMs: Math.min(FIRST_BYTE_MS, tryMs),
      maxBytes: options.maxBytes ?? MAX_BYTES,
      maxRedirects: 3,
    },
    signal: options.signal,
  })
  if (pictureType(bytes) === undefined) {
    throw new ProviderError('bad_reference', 'what is there is no picture')
  }
  return bytes
}
