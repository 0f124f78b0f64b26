import type { IncomingMessage } from 'node:http'
import { ProviderError } from '../provider.ts'
import type { Gate } from './gate.ts'
import { toDownloadError } from './network-error.ts'
import { sendRequest } from './send-request.ts'
import { readTarget, type Target } from './target.ts'

export interface DownloadLimits {
  /** From the first name lookup to the last byte, redirects included. */
  readonly tryMs: number
  /** To the headers of each answer. */
  readonly firstByteMs: number
  readonly maxBytes: number
  readonly maxRedirects: number
}

export interface DownloadOptions {
  readonly gate: Gate
  readonly limits: DownloadLimits
  readonly signal: AbortSignal
  /** What an answer means that is neither a picture nor a redirect to follow; without it its status alone decides. */
  readonly toFailure?: ((answer: FailedAnswer) => ProviderError) | undefined
}

export interface FailedAnswer {
  readonly status: number
  readonly headers: Headers
  /** As much of the beginning as came in time: not to be trusted, and maybe cut off. */
  readonly text: string
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])
const PASSING_STATUSES = new Set([408, 425, 429])
/** What is read of an answer that failed, and for how long. */
const MAX_FAILURE_BYTES = 16 * 1024
const FAILURE_MS = 5_000

/** Everything that is sent besides Host. Many servers refuse requests without a User-Agent. */
const HEADERS = {
  accept: 'image/jpeg, image/png, image/webp',
  'accept-encoding': 'identity',
  'user-agent': 'Wombat (reference images)',
}

/** The bytes at a URL: one try. Throws ProviderError: bad_reference for good, transient for what may pass. */
export async function download(text: string, options: DownloadOptions): Promise<Buffer> {
  const { gate, limits } = options
  const limit = AbortSignal.any([options.signal, AbortSignal.timeout(limits.tryMs)])
  try {
    let target = readTarget(text, gate)
    let status: number | undefined
    for (let redirects = 0; redirects <= limits.maxRedirects; redirects += 1) {
      const response = await sendRequest(target, {
        gate,
        signal: limit,
        firstByteMs: limits.firstByteMs,
        headers: HEADERS,
      })
      try {
        const next = readRedirect(response, target.url, gate)
        if (next === undefined) {
          return await readBody(response, options)
        }
        target = next
        status = response.statusCode
      } finally {
        response.destroy()
      }
    }
    throw new ProviderError('bad_reference', `more than ${limits.maxRedirects} redirects`, { status })
  } catch (error) {
    if (limit.aborted) {
      throw new ProviderError('transient', `not there within ${limits.tryMs} ms`, { cause: limit.reason })
    }
    throw toDownloadError(error)
  }
}

/** Undefined: the answer is no redirect. */
function readRedirect(response: IncomingMessage, from: URL, gate: Gate): Target | undefined {
  const { statusCode = 0, headers } = response
  if (!REDIRECTS.has(statusCode)) {
    return undefined
  }
  if (headers.location === undefined) {
    throw new ProviderError('bad_reference', `answered ${statusCode} without a Location`, { status: statusCode })
  }
  // Node reads headers as Latin-1; servers that don't escape write UTF-8.
  return readTarget(Buffer.from(headers.location, 'latin1').toString('utf8'), gate, from)
}

async function readBody(response: IncomingMessage, { limits, toFailure }: DownloadOptions): Promise<Buffer> {
  const { statusCode = 0, headers } = response
  const { maxBytes } = limits
  if (statusCode !== 200) {
    throw toFailure === undefined ? byStatus(statusCode) : toFailure(await readFailure(response))
  }
  const encoding = headers['content-encoding'] ?? ''
  if (!/^(identity)?$/i.test(encoding.trim())) {
    throw new ProviderError('bad_reference', 'the answer is encoded')
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) {
    throw new ProviderError('bad_reference', `larger than ${maxBytes} bytes`)
  }
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response) {
    const part: Buffer = chunk
    sizeBytes += part.length
    if (sizeBytes > maxBytes) {
      throw new ProviderError('bad_reference', `larger than ${maxBytes} bytes`)
    }
    chunks.push(part)
  }
  return Buffer.concat(chunks)
}

function byStatus(status: number): ProviderError {
  const mayPass = status >= 500 || PASSING_STATUSES.has(status)
  return new ProviderError(mayPass ? 'transient' : 'bad_reference', `answered ${status}`, { status })
}

async function readFailure(response: IncomingMessage): Promise<FailedAnswer> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  const timer = setTimeout(() => response.destroy(), FAILURE_MS)
  try {
    for await (const chunk of response) {
      const part: Buffer = chunk
      chunks.push(part)
      sizeBytes += part.length
      if (sizeBytes >= MAX_FAILURE_BYTES) {
        break
      }
    }
  } catch {
    // The status is known; what came of the text is better than none of it.
  } finally {
    clearTimeout(timer)
  }
  const headers = new Headers()
  for (const [name, value] of Object.entries(response.headers)) {
    headers.set(name, String(value))
  }
  const text = Buffer.concat(chunks).subarray(0, MAX_FAILURE_BYTES).toString('utf8')
  return { status: response.statusCode ?? 0, headers, text }
}
