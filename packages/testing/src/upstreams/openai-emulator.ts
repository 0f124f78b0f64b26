import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPictureMaker } from './emulated-picture.ts'
import { type OpenAiError, openAiError } from './openai-error.ts'
import { type Answer, type EmulatedRequest, send } from './openai-exchange.ts'
import type { OpenAiFault } from './openai-faults.ts'
import { performEarlyFault, performFault } from './openai-perform.ts'
import { answerResponses } from './openai-responses.ts'
import { type PictureOrder, type ReferenceFile, readPictureOrder } from './openai-rules.ts'

export interface OpenAiEmulatorOptions {
  /** Keys that are let in; without it each is. */
  readonly keys?: readonly string[]
  readonly imageModels?: readonly string[]
  readonly textModels?: readonly string[]
  readonly latencyMs?: number
}

export interface OpenAiEmulator extends AsyncDisposable {
  /** Ends in /v1. */
  readonly url: string
  /** Everything that arrived, in order. */
  readonly requests: readonly EmulatedRequest[]
  /** Breaks the answers from now on, or the next `times` of them; undefined mends it. Only paths with `path` in them. */
  setFault(fault: OpenAiFault | undefined, options?: { times?: number; path?: string }): void
  setLatency(latencyMs: number): void
  close(): Promise<void>
}

interface State {
  readonly options: Required<Omit<OpenAiEmulatorOptions, 'keys'>> & Pick<OpenAiEmulatorOptions, 'keys'>
  readonly requests: EmulatedRequest[]
  readonly makePicture: ReturnType<typeof createPictureMaker>
  latencyMs: number
  fault: { kind: OpenAiFault; left: number; path: string } | undefined
}

const MAX_BODY_BYTES = 64 * 1024 * 1024

/** OpenAI's images and responses API on a free port of this machine, as strict as providers.md says it is. */
export async function startOpenAiEmulator(options: OpenAiEmulatorOptions = {}): Promise<OpenAiEmulator> {
  const defaults = { imageModels: ['gpt-image-2', 'gpt-image-2-2026-04-21'], textModels: ['gpt-6-luna'], latencyMs: 0 }
  const settings = { ...defaults, ...options }
  const state: State = {
    options: settings,
    requests: [],
    makePicture: createPictureMaker(),
    latencyMs: settings.latencyMs,
    fault: undefined,
  }
  const server = createServer((request, reply) => {
    handle(state, request, reply).catch(() => reply.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') {
    throw new Error('the emulator has no port')
  }
  const close = async (): Promise<void> => {
    if (!server.listening) {
      return
    }
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    requests: state.requests,
    setFault(kind, { times = Number.POSITIVE_INFINITY, path = '' } = {}) {
      state.fault = kind === undefined ? undefined : { kind, left: times, path }
    },
    setLatency(latencyMs) {
      state.latencyMs = latencyMs
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function handle(state: State, request: IncomingMessage, reply: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://emulator').pathname
  const entry: EmulatedRequest = { method: request.method ?? '', path, headers: request.headers, pictures: 0 }
  state.requests.push(entry)
  const fault = takeFault(state, path)
  if (fault !== undefined && performEarlyFault(fault, request)) {
    return
  }
  await readBody(request, entry)
  await sleep(state.latencyMs)
  const answer = await decide(state, entry)
  reply.setHeader('x-request-id', `req_${randomBytes(16).toString('hex')}`)
  reply.setHeader('openai-processing-ms', String(state.latencyMs))
  for (const kind of ['requests', 'tokens']) {
    reply.setHeader(`x-ratelimit-limit-${kind}`, '1000')
    reply.setHeader(`x-ratelimit-remaining-${kind}`, '999')
    reply.setHeader(`x-ratelimit-reset-${kind}`, '120ms')
  }
  reply.on('finish', () => {
    entry.status = reply.statusCode
  })
  if (fault !== undefined) {
    await performFault(fault, { reply, answer, entry, makePicture: state.makePicture })
  } else {
    send(reply, answer)
  }
}

function takeFault(state: State, path: string): OpenAiFault | undefined {
  const { fault } = state
  if (fault === undefined || fault.left <= 0 || !path.includes(fault.path)) {
    return undefined
  }
  fault.left -= 1
  return fault.kind
}

async function readBody(request: IncomingMessage, entry: EmulatedRequest): Promise<void> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request) {
    const part = Buffer.from(chunk)
    sizeBytes += part.length
    if (sizeBytes > MAX_BODY_BYTES) {
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
  const files: ReferenceFile[] = []
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
    // The rules refuse what is not an object in OpenAI's words.
    return undefined
  }
}

const SERVED = ['POST /v1/images/generations', 'POST /v1/images/edits', 'POST /v1/responses']

async function decide(state: State, entry: EmulatedRequest): Promise<Answer> {
  const locked = checkKey(state, entry)
  if (locked) {
    return refuse(locked)
  }
  const route = `${entry.method} ${entry.path}`
  if (route === 'GET /v1/models') {
    return { status: 200, body: { object: 'list', data: listModels(state) } }
  }
  if (!SERVED.includes(route)) {
    return refuse(openAiError(404, `Invalid URL (${route})`))
  }
  if (typeof entry.body !== 'object' || entry.body === null) {
    return refuse(openAiError(400, 'We could not parse the JSON body of your request.'))
  }
  const fields: Record<string, unknown> = Object.fromEntries(Object.entries(entry.body))
  if (entry.path === '/v1/responses') {
    const answer = answerResponses(fields, state.options.textModels)
    return 'error' in answer ? refuse(answer) : { status: 200, body: answer.body }
  }
  return picture(state, entry, fields)
}

async function picture(state: State, entry: EmulatedRequest, fields: Record<string, unknown>): Promise<Answer> {
  const kind = entry.path.endsWith('edits') ? 'edits' : 'generations'
  const order = readPictureOrder(kind, fields, { models: state.options.imageModels, references: entry.files ?? [] })
  if ('error' in order) {
    return refuse(order)
  }
  entry.pictures = order.count
  return { status: 200, body: await fulfil(state, order) }
}

function checkKey(state: State, entry: EmulatedRequest): OpenAiError | undefined {
  const key = /^Bearer (\S+)$/.exec(entry.headers.authorization ?? '')?.[1]
  if (key === undefined) {
    return openAiError(
      401,
      "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth.",
    )
  }
  if (!state.options.keys || state.options.keys.includes(key)) {
    return undefined
  }
  return openAiError(
    401,
    `Incorrect API key provided: ${key.slice(0, 6)}***. You can find your API key at https://x.`,
    {
      code: 'invalid_api_key',
    },
  )
}

function refuse({ status, headers = {}, error }: OpenAiError): Answer {
  return { status, headers, body: { error } }
}

function listModels(state: State): unknown[] {
  return [...state.options.imageModels, ...state.options.textModels].map((id) => ({
    id,
    object: 'model',
    created: 1_776_729_600,
    owned_by: 'system',
  }))
}

/** Output tokens of a square and of another size, by quality. */
const TOKENS = { low: [196, 153], medium: [1756, 1372], high: [7024, 5488] } as const

async function fulfil(state: State, order: PictureOrder): Promise<unknown> {
  const picture = await state.makePicture({ ...order, text: order.prompt })
  const textTokens = Math.ceil(order.prompt.length / 4)
  const imageTokens = order.references * 1024
  const outputTokens = TOKENS[order.quality][order.width === order.height ? 0 : 1] * order.count
  return {
    created: Math.floor(Date.now() / 1000),
    background: 'opaque',
    data: Array.from({ length: order.count }, () => ({ b64_json: picture.toString('base64') })),
    output_format: order.format,
    quality: order.quality,
    size: `${order.width}x${order.height}`,
    usage: {
      input_tokens: textTokens + imageTokens,
      input_tokens_details: { text_tokens: textTokens, image_tokens: imageTokens },
      output_tokens: outputTokens,
      output_tokens_details: { text_tokens: 0, image_tokens: outputTokens },
      total_tokens: textTokens + imageTokens + outputTokens,
    },
  }
}
