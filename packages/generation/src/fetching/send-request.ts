import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { ProviderError } from '../provider.ts'
import type { Gate } from './gate.ts'
import type { Target } from './target.ts'
import { createVettedLookup } from './vetted-lookup.ts'

const MAX_HEADER_BYTES = 16 * 1024

export interface SendOptions {
  readonly gate: Gate
  readonly signal: AbortSignal
  /** To the headers of the answer. */
  readonly firstByteMs: number
  /** Everything that is sent besides Host and the length of the body. */
  readonly headers: Readonly<Record<string, string>>
  /** Posted; without it the request is a GET. */
  readonly body?: string | undefined
}

/** Sends the request and answers when the headers are there. The caller destroys the answer. */
export async function sendRequest({ url, isTrusted }: Target, options: SendOptions): Promise<IncomingMessage> {
  const { body } = options
  const settings = {
    signal: options.signal,
    headers: options.headers,
    maxHeaderSize: MAX_HEADER_BYTES,
    ...(body === undefined ? {} : { method: 'POST' }),
    ...(isTrusted ? {} : { lookup: createVettedLookup(options.gate) }),
  }
  // Agents of its own: the global ones keep connections, and may be told by the environment to use a proxy.
  const request =
    url.protocol === 'https:'
      ? requestHttps(url, { ...settings, rejectUnauthorized: true, agent: new HttpsAgent({ keepAlive: false }) })
      : requestHttp(url, { ...settings, agent: new HttpAgent({ keepAlive: false }) })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  // Stays to the end: what breaks after the headers is reported here and by the answer.
  request.on('error', reject)
  request.once('response', resolve)
  // Without this listener a 101 ends the request without any event, and it would never be settled.
  request.once('upgrade', (_answer, socket) => {
    socket.destroy()
    reject(new ProviderError('bad_reference', 'answered 101'))
  })
  const timer = setTimeout(() => {
    reject(new ProviderError('transient', `no answer within ${options.firstByteMs} ms`))
    request.destroy()
  }, options.firstByteMs)
  request.end(body)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}
