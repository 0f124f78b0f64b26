import { download, type FailedAnswer } from './fetching/download.ts'
import { createGate, createOpenGate } from './fetching/gate.ts'
import { ClosedTargetError } from './fetching/target.ts'
import { closedLink } from './picture-link.ts'
import { pictureType } from './picture-type.ts'
import { type FailureClass, ProviderError } from './provider.ts'
import { toReason } from './refusal-reason.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { isRecord, shorten, textField } from './untrusted.ts'

export interface PictureWait {
  readonly apiKey: string
  readonly allowPrivate: boolean
  readonly signal: AbortSignal
  /** From the first byte sent to the last byte of the picture, redirects included. */
  readonly timeoutMs: number
}

const MAX_BYTES = 64 * 1024 * 1024
/** An upstream that sends us to the same address again does so at most this often. */
const MAX_REDIRECTS = 8

/**
 * The picture at the URL that the upstream answered with. The GET is held until the picture exists, and may be repeated
 * as often as one likes: all that is not known to be final is transient with `isJobAlive`. Without `isJobAlive`, a
 * transient failure says that the upstream gave up and gave the credits back: a new order is due.
 */
export async function awaitKoalaPicture(url: string, wait: PictureWait): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = await download(url, {
      gate: wait.allowPrivate ? createOpenGate() : createGate([]),
      limits: {
        tryMs: wait.timeoutMs,
        firstByteMs: wait.timeoutMs,
        maxBytes: MAX_BYTES,
        maxRedirects: MAX_REDIRECTS,
      },
      signal: wait.signal,
      toFailure: (answer) => fromAnswer(answer, wait.apiKey),
    })
  } catch (error) {
    throw fromDownload(error)
  }
  if (pictureType(bytes) === undefined) {
    throw failed('unknown', 'what is there is no picture')
  }
  return bytes
}

function failed(
  failure: FailureClass,
  why: string,
  options: ConstructorParameters<typeof ProviderError>[2] = {},
): ProviderError {
  return new ProviderError(failure, `the picture of the Koala upstream: ${why}`, options)
}

const GIVEN_UP = new Set([404, 410])

function fromAnswer({ status, headers, text }: FailedAnswer, apiKey: string): ProviderError {
  const body = parse(text)
  const code = textField(body, 'code')
  const why = `answered ${status}${code === undefined ? '' : ` ${shorten(code, apiKey, 60)}`}`
  if (status === 422) {
    const reason = isRecord(body) ? toReason(textField(body.details, 'reason')) : undefined
    return code === 'bad_reference'
      ? failed('bad_reference', why, { status })
      : failed('moderation', why, { status, reason })
  }
  return failed('transient', why, {
    status,
    isJobAlive: !GIVEN_UP.has(status),
    retryAfterMs: readRetryAfterMs(headers, '', Date.now()),
  })
}

/** What came to no answer, or to too many redirects, may be another time; a URL that must not be followed stays one. */
function fromDownload(error: unknown): ProviderError {
  const known = error instanceof ProviderError ? error : new ProviderError('transient', 'no answer', { cause: error })
  const { status, cause, message } = known
  if (known instanceof ClosedTargetError) {
    return closedLink(`the picture of the Koala upstream: ${message}`)
  }
  const isRedirect = status !== undefined && status >= 300 && status < 400
  if (status !== undefined && !isRedirect) {
    return known
  }
  // Only what the line or the name servers said has a cause: an address that must not be asked has none.
  return known.failure === 'transient' || isRedirect || cause !== undefined
    ? failed('transient', message, { status, cause, isJobAlive: true })
    : failed('unknown', message)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page: the status says enough.
    return undefined
  }
}
