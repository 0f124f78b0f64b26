import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import { connect as connectTls } from 'node:tls'
import type { Certificate } from './nginx.ts'

export interface Http2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
  readonly json: unknown
}

export interface Http2Request {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface Http2Client {
  /** Rejects when the stream is reset before its end. */
  ask(path: string, request?: Http2Request): Promise<Http2Answer>
  /** A stream whose beginning can be looked at. */
  open(path: string, request?: Http2Request): Http2Exchange
  [Symbol.dispose](): void
}

export interface Http2Exchange {
  /** The body so far. */
  readonly bytes: Buffer
  readonly answer: Promise<Http2Answer>
  /** RST_STREAM: the client has lost interest. */
  cancel(): void
}

/** One connection of HTTP/2, from the address that is given. */
export function openHttp2(url: string, { pem }: Certificate, from = '127.0.0.1'): Http2Client {
  const { hostname: host, port } = new URL(url)
  const socket = { host, port: Number(port), ca: pem, localAddress: from, ALPNProtocols: ['h2'] }
  const session: ClientHttp2Session = connect(url, { createConnection: () => connectTls(socket) })
  // Each stream tells what has become of it.
  session.on('error', () => {})
  const open = (path: string, { method = 'GET', headers = {}, body }: Http2Request = {}) => {
    const stream = session.request({ ...headers, ':path': path, ':method': method }, { endStream: body === undefined })
    if (body !== undefined) {
      stream.end(body)
    }
    return follow(stream)
  }
  return {
    open,
    ask: (path, request) => open(path, request).answer,
    [Symbol.dispose]: () => session.destroy(),
  }
}

function follow(stream: ClientHttp2Stream): Http2Exchange {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const answer = readAnswer(stream, chunks)
  // A test may look at the beginning only.
  answer.catch(() => {})
  return {
    get bytes() {
      return Buffer.concat(chunks)
    },
    answer,
    cancel: () => stream.close(constants.NGHTTP2_CANCEL),
  }
}

function readAnswer(stream: ClientHttp2Stream, chunks: readonly Buffer[]): Promise<Http2Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Http2Answer>()
  let fields: IncomingHttpHeaders & IncomingHttpStatusHeader = {}
  let isEnded = false
  stream.on('response', (given) => {
    fields = given
  })
  stream.on('end', () => {
    isEnded = true
  })
  stream.on('error', reject)
  stream.on('close', () => {
    const { ':status': status, ...headers } = fields
    if (!isEnded || status === undefined || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
      reject(new Error(`the stream was closed with code ${stream.rstCode}, status ${status}, ${chunks.length} chunks`))
      return
    }
    const bytes = Buffer.concat(chunks)
    const text = bytes.toString('utf8')
    resolve({
      status,
      headers,
      bytes,
      text,
      get json() {
        return JSON.parse(text)
      },
    })
  })
  return promise
}
