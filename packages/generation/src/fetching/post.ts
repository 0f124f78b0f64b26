import type { IncomingMessage } from 'node:http'
import { ProviderError } from '../provider.ts'
import { readRetryAfterMs } from '../retry-after.ts'
import { createGate, type Gate } from './gate.ts'
import { toDownloadError } from './network-error.ts'
import { sendRequest } from './send-request.ts'
import { readTarget } from './target.ts'

export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
}

export interface PostLimits {
  /** From the name lookup to the end of the answer. */
  readonly totalMs: number
  readonly firstByteMs: number
  /** What is read of the answer, and thrown away. */
  readonly maxBytes: number
}

export interface PostAnswer {
  readonly status: number
  /** What Retry-After asks for. */
  readonly retryAfterMs: number | undefined
}

/** POSTs to addresses that a customer has chosen. */
export interface Poster {
  /** Why nothing may be sent to a URL; undefined when it may, but for the addresses of its name. */
  findFault(url: string): string | undefined
  /** One try, without redirects. Throws ProviderError when there was no answer; its message is for the operator. */
  post(url: string, options: PostOptions): Promise<PostAnswer>
}

const LIMITS: PostLimits = { totalMs: 15_000, firstByteMs: 12_000, maxBytes: 64 * 1024 }

/** To the public internet, and to the hosts (`host:port`) that the operator allows. */
export function createPoster(allowHosts: readonly string[]): Poster {
  const gate = createGate(allowHosts)
  return {
    findFault(url) {
      try {
        readTarget(url, gate)
        return undefined
      } catch (error) {
        return toDownloadError(error).message
      }
    },
    post: (url, options) => postVetted(url, { ...options, gate, limits: LIMITS }),
  }
}

/**
 * Sends a body where downloads may go. Every status is an answer, a redirect too: whom it names has not been told who
 * signs, and the message is not for them. What the answer says is of no interest and is thrown away.
 */
export async function postVetted(
  text: string,
  { gate, limits, headers, body, signal }: PostOptions & { gate: Gate; limits: PostLimits },
): Promise<PostAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.totalMs)])
  try {
    const target = readTarget(text, gate)
    const length = String(Buffer.byteLength(body))
    const answer = await sendRequest(target, {
      gate,
      signal: limit,
      firstByteMs: limits.firstByteMs,
      headers: { ...headers, 'content-length': length },
      body,
    })
    try {
      await drain(answer, limits.maxBytes)
    } finally {
      answer.destroy()
    }
    return { status: answer.statusCode ?? 0, retryAfterMs: retryAfterOf(answer) }
  } catch (error) {
    if (limit.aborted) {
      const message = signal.aborted ? 'it was called off' : `not answered within ${limits.totalMs} ms`
      throw new ProviderError('transient', message, { cause: limit.reason })
    }
    throw toDownloadError(error)
  }
}

function retryAfterOf({ headers }: IncomingMessage): number | undefined {
  const told = new Headers()
  for (const name of ['retry-after', 'date']) {
    const value = headers[name]
    if (typeof value === 'string') {
      told.set(name, value)
    }
  }
  return readRetryAfterMs(told, '', Date.now())
}

/** Reads to the end, so that who answers sees it taken; the status is known, whatever becomes of the rest. */
async function drain(answer: IncomingMessage, maxBytes: number): Promise<void> {
  let sizeBytes = 0
  try {
    for await (const chunk of answer) {
      const part: Buffer = chunk
      sizeBytes += part.length
      if (sizeBytes >= maxBytes) {
        return
      }
    }
  } catch {
    // Broken off, or too slow: the headers have said what there was to say.
  }
}
