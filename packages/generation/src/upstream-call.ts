import { toNetworkFailure } from './network-failure.ts'
import { type FailureClass, ProviderError } from './provider.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { readBytes } from './untrusted.ts'

export interface UpstreamCall {
  /** Who is asked, for messages. */
  readonly vendor: string
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | FormData | undefined
  /** The caller's own wish to end. */
  readonly signal: AbortSignal
  /** From the first byte sent to the last byte of the answer. */
  readonly timeoutMs: number
  readonly maxBytes?: number | undefined
  /** It costs nothing to send it again: then nothing about it is ever `unknown`. */
  readonly isRepeatable?: boolean | undefined
}

export interface UpstreamAnswer {
  readonly status: number
  readonly headers: Headers
  /** Undefined when the body is not JSON. */
  readonly json: unknown
  /** The body as it came; not to be shown to anybody without `shorten`. */
  readonly text: string
}

/** A picture of 4096x4096 as a PNG in base64 has less. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/**
 * One request, never repeated and never redirected, whose answer is read to its end within limits. Answers every
 * status. Throws ProviderError when there is no whole answer: transient when nothing was sent or nothing can have been
 * paid, otherwise unknown; and what the status of an error tells without its text, but nothing final.
 */
export async function callUpstream(call: UpstreamCall): Promise<UpstreamAnswer> {
  const { vendor, signal, timeoutMs } = call
  const failure = call.isRepeatable === true ? 'transient' : 'unknown'
  if (signal.aborted) {
    throw new ProviderError('transient', 'called off before it was sent', { cause: signal.reason })
  }
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  let status = 0
  let headers = new Headers()
  try {
    const response = await fetch(call.url, {
      method: call.method,
      headers: call.headers,
      redirect: 'manual',
      signal: limit,
      ...(call.body === undefined ? {} : { body: call.body }),
    })
    status = response.status
    headers = response.headers
    const text = (await readBytes(response, call.maxBytes ?? MAX_ANSWER_BYTES)).toString('utf8')
    return { status, headers, json: parse(text), text }
  } catch (cause) {
    const why = endedBy(call, limit)
    if (status >= 400 && !signal.aborted) {
      throw new ProviderError(withoutText(status), `the answer ${status} of ${vendor} is cut off`, {
        status,
        cause,
        retryAfterMs: readRetryAfterMs(headers, '', Date.now()),
      })
    }
    if (why !== undefined) {
      throw new ProviderError(failure, why, { cause: limit.reason })
    }
    if (status > 0) {
      throw new ProviderError(failure, `the answer ${status} of ${vendor} is cut off`, { status, cause })
    }
    const known = toNetworkFailure(cause, vendor)
    throw failure === 'transient' ? new ProviderError('transient', known.message, { cause }) : known
  }
}

function endedBy({ signal, vendor, timeoutMs }: UpstreamCall, limit: AbortSignal): string | undefined {
  if (signal.aborted) {
    return `called off after it was sent to ${vendor}`
  }
  return limit.aborted ? `${vendor} did not answer within ${timeoutMs} ms` : undefined
}

/** Nobody is charged for an error. */
function withoutText(status: number): FailureClass {
  if (status === 429) {
    return 'throttled'
  }
  return [401, 402, 403, 407].includes(status) ? 'credentials' : 'transient'
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is no JSON has another meaning for each upstream.
    return undefined
  }
}
