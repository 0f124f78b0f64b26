import { randomBytes } from 'node:crypto'
import { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type EmulatedRequest, type Emulator, startEmulator } from './emulator.ts'
import { type OpenAiError, openAiError } from './openai-error.ts'
import type { OpenAiFault } from './openai-faults.ts'
import { performEarlyFault, performFault } from './openai-perform.ts'
import { answerResponses } from './openai-responses.ts'
import { type PictureOrder, readPictureOrder } from './openai-rules.ts'

export interface OpenAiEmulatorOptions {
  /** Keys that are let in; without it each is. */
  readonly keys?: readonly string[]
  readonly imageModels?: readonly string[]
  readonly textModels?: readonly string[]
  readonly latencyMs?: number
  readonly port?: number
}

export interface OpenAiEmulator extends Emulator<OpenAiFault> {
  /** Ends in /v1. */
  readonly url: string
}

interface State {
  readonly options: Required<Omit<OpenAiEmulatorOptions, 'keys' | 'latencyMs' | 'port'>> &
    Pick<OpenAiEmulatorOptions, 'keys'>
  readonly makePicture: ReturnType<typeof createPictureMaker>
}

/** OpenAI's images and responses API on a free port of this machine, as strict as providers.md says it is. */
export async function startOpenAiEmulator(options: OpenAiEmulatorOptions = {}): Promise<OpenAiEmulator> {
  const { latencyMs, port, ...given } = options
  const defaults = { imageModels: ['gpt-image-2', 'gpt-image-2-2026-04-21'], textModels: ['gpt-6-luna'] }
  const state: State = { options: { ...defaults, ...given }, makePicture: createPictureMaker() }
  const emulator = await startEmulator<OpenAiFault>({
    latencyMs,
    port,
    headers: answerHeaders,
    answer: (entry) => decide(state, entry),
    perform: (fault, stage) => performFault(fault, { ...stage, makePicture: state.makePicture }),
    performEarly: performEarlyFault,
  })
  return { ...emulator, url: `${emulator.origin}/v1` }
}

function answerHeaders(latencyMs: number): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': `req_${randomBytes(16).toString('hex')}`,
    'openai-processing-ms': String(latencyMs),
  }
  for (const kind of ['requests', 'tokens']) {
    headers[`x-ratelimit-limit-${kind}`] = '1000'
    headers[`x-ratelimit-remaining-${kind}`] = '999'
    headers[`x-ratelimit-reset-${kind}`] = '120ms'
  }
  return headers
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
