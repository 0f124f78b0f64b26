import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

export interface EmulatedFile {
  readonly field: string
  readonly name: string
  readonly contentType: string
  readonly bytes: Buffer
}

export interface EmulatedRequest {
  readonly method: string
  readonly path: string
  /** What stands behind the question mark. */
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** Parsed JSON, or the fields of a form; undefined for a GET, for what is neither, and while it was not read. */
  body?: unknown
  files?: readonly EmulatedFile[]
  /** The status that was answered; undefined when the connection was broken instead. */
  status?: number
  /** Pictures that the upstream would have charged. */
  pictures: number
}

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Sent as JSON; a Buffer as it is, with the Content-Type from `headers`; a stream as it comes, and when it fails the
   * connection is reset.
   */
  readonly body: unknown
}

export interface Stage {
  readonly reply: ServerResponse
  /** What would have been answered. */
  readonly answer: Answer
  readonly entry: EmulatedRequest
}

/** An upstream on a free port of this machine. */
export interface Emulator<Fault> extends AsyncDisposable {
  /** Such as http://127.0.0.1:12345, without a path. */
  readonly origin: string
  /** Everything that arrived, in order. */
  readonly requests: readonly EmulatedRequest[]
  /** Breaks the answers from now on, or the next `times` of them; undefined mends it. Only paths with `path` in them. */
  setFault(fault: Fault | undefined, options?: { times?: number; path?: string }): void
  setLatency(latencyMs: number): void
  close(): Promise<void>
}

export interface EmulatorOptions<Fault> {
  readonly latencyMs?: number | undefined
  /** 0 or absent: a free one. */
  readonly port?: number | undefined
  /** A longer body breaks the connection. */
  readonly maxBodyBytes?: number | undefined
  /** Headers of every answer. */
  headers?(latencyMs: number): Readonly<Record<string, string>>
  /** What is answered when nothing is broken; it sets `entry.pictures`. `origin` is where this emulator is. */
  answer(entry: EmulatedRequest, origin: string): Promise<Answer>
  /** Breaks the answer; it sets `entry.pictures` to 0 when the fault means that nothing was charged. */
  perform(fault: Fault, stage: Stage): Promise<void>
  /** Breaks the connection before the body is read; false when the fault comes later. */
  performEarly?(fault: Fault, request: IncomingMessage): boolean
}

const MAX_BODY_BYTES = 64 * 1024 * 1024

/** The part that all emulators of upstreams share: listening, reading bodies, the log, faults by path and number. */
export async function startEmulator<Fault>(options: EmulatorOptions<Fault>): Promise<Emulator<Fault>> {
  const requests: EmulatedRequest[] = []
  let latencyMs = options.latencyMs ?? 0
  let fault: { kind: Fault; left: number; path: string } | undefined
  let origin = ''

  const takeFault = (path: string): Fault | undefined => {
    if (fault === undefined || fault.left <= 0 || !path.includes(fault.path)) {
      return undefined
    }
    fault.left -= 1
    return fault.kind
  }

  async function handle(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://emulator')
    const entry: EmulatedRequest = { method: request.method ?? '', path, query, headers: request.headers, pictures: 0 }
    requests.push(entry)
    const broken = takeFault(path)
    if (broken !== undefined && options.performEarly?.(broken, request) === true) {
      return
    }
    await readBody(request, entry, options.maxBodyBytes ?? MAX_BODY_BYTES)
    await sleep(latencyMs)
    const answer = await options.answer(entry, origin)
    for (const [name, value] of Object.entries(options.headers?.(latencyMs) ?? {})) {
      reply.setHeader(name, value)
    }
    reply.on('finish', () => {
      entry.status = reply.statusCode
    })
    if (broken !== undefined) {
      await options.perform(broken, { reply, answer, entry })
    } else {
      send(reply, answer)
    }
  }

  const server = createServer((request, reply) => {
    handle(request, reply).catch(() => reply.destroy())
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('the emulator has no port')
  }
  origin = `http://127.0.0.1:${address.port}`
  const close = async (): Promise<void> => {
    if (server.listening) {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    }
  }
  return {
    origin,
    requests,
    setFault(kind, { times = Number.POSITIVE_INFINITY, path = '' } = {}) {
      fault = kind === undefined ? undefined : { kind, left: times, path }
    },
    setLatency(ms) {
      latencyMs = ms
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

export function send(reply: ServerResponse, { status, headers = {}, body }: Answer): void {
  if (Buffer.isBuffer(body)) {
    reply.writeHead(status, { ...headers, 'content-length': body.length }).end(body)
    return
  }
  if (body instanceof Readable) {
    reply.writeHead(status, headers)
    reply.once('close', () => body.destroy())
    body.once('error', () => reply.socket?.resetAndDestroy()).pipe(reply)
    return
  }
  reply.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Says how much will come, sends half of it, and hangs up. */
export function cutOff(reply: ServerResponse, text: string): void {
  reply.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  reply.write(text.slice(0, Math.floor(text.length / 2)), () => reply.socket?.destroy())
}

async function readBody(request: IncomingMessage, entry: EmulatedRequest, maxBytes: number): Promise<void> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request) {
    const part = Buffer.from(chunk)
    sizeBytes += part.length
    if (sizeBytes > maxBytes) {
      throw new Error('the request is too large')
    }
    chunks.push(part)
  }
  const bytes = Buffer.concat(chunks)
  const contentType = request.headers['content-type'] ?? ''
  if (bytes.length === 0) {
    return
  }
  if (!contentType.startsWith('multipart/form-data')) {
    entry.body = parse(bytes.toString('utf8'))
    return
  }
  const fields: Record<string, string> = {}
  const files: EmulatedFile[] = []
  const form = await new Response(bytes, { headers: { 'content-type': contentType } }).formData()
  for (const [field, value] of form) {
    if (typeof value === 'string') {
      fields[field] = value
    } else {
      files.push({ field, name: value.name, contentType: value.type, bytes: Buffer.from(await value.arrayBuffer()) })
    }
  }
  entry.body = fields
  entry.files = files
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The rules refuse what is no JSON in the upstream's words.
    return undefined
  }
}
