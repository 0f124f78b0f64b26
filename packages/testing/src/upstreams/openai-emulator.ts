import { randomBytes } from 'node:crypto'
import { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type EmulatedRequest, type Emulator, startEmulator } from './emulator.ts'
import { checkAzure, type EmulatedAzure, toOpenAiPath } from './openai-azure.ts'
import { LINK_PATH, type PictureForm, readCompatibleOrder } from './openai-compatible.ts'
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
  /** Speaks as Azure OpenAI does: under these names, and with its key in a header of its own. */
  readonly azure?: EmulatedAzure
  /** Speaks as a small server does that is compatible with OpenAI: it knows the five oldest fields and no others. */
  readonly isCompatible?: boolean
}

export interface OpenAiEmulator extends Emulator<OpenAiFault> {
  /** Ends in /v1; of Azure it is the endpoint. */
  readonly url: string
  /** Of a compatible server: how pictures are handed over from now on. */
  setPictureForm(form: PictureForm): void
}

interface State {
  readonly options: Required<Omit<OpenAiEmulatorOptions, 'keys' | 'latencyMs' | 'port' | 'azure'>> &
    Pick<OpenAiEmulatorOptions, 'keys' | 'azure'>
  readonly makePicture: ReturnType<typeof createPictureMaker>
  /** What links lead to. */
  readonly linked: Map<string, Buffer>
  pictureForm: PictureForm
}

/** OpenAI's images and responses API on a free port of this machine, as strict as providers.md says it is. */
export async function startOpenAiEmulator(options: OpenAiEmulatorOptions = {}): Promise<OpenAiEmulator> {
  const { latencyMs, port, ...given } = options
  const defaults = {
    imageModels: ['gpt-image-2', 'gpt-image-2-2026-04-21'],
    textModels: ['gpt-6-luna'],
    isCompatible: false,
  }
  const state: State = {
    options: { ...defaults, ...given },
    makePicture: createPictureMaker(),
    linked: new Map(),
    pictureForm: 'base64',
  }
  const emulator = await startEmulator<OpenAiFault>({
    latencyMs,
    port,
    headers: answerHeaders,
    answer: (entry, origin) => decide(state, entry, origin),
    perform: (fault, stage) => performFault(fault, { ...stage, makePicture: state.makePicture }),
    performEarly: performEarlyFault,
  })
  return {
    ...emulator,
    url: given.azure ? emulator.origin : `${emulator.origin}/v1`,
    setPictureForm(form) {
      state.pictureForm = form
    },
  }
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

async function decide(state: State, entry: EmulatedRequest, origin: string): Promise<Answer> {
  const { azure, keys, isCompatible } = state.options
  const linked = state.linked.get(entry.path)
  if (linked) {
    return { status: 200, headers: { 'content-type': 'image/png' }, body: linked }
  }
  const locked = azure ? checkAzure(entry, azure, keys) : checkKey(state, entry)
  if (locked) {
    return refuse(locked)
  }
  const path = azure ? toOpenAiPath(entry.path) : entry.path
  const route = `${entry.method} ${path}`
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
  if (path === '/v1/responses') {
    const answer = answerResponses(fields, state.options.textModels)
    return 'error' in answer ? refuse(answer) : { status: 200, body: answer.body }
  }
  // Azure's deployment says which model it is.
  const order = readOrder(state, entry, azure ? { model: state.options.imageModels[0], ...fields } : fields)
  if ('error' in order) {
    return refuse(order)
  }
  entry.pictures = order.count
  return { status: 200, body: isCompatible ? await handOver(state, order, origin) : await fulfil(state, order) }
}

function readOrder(state: State, entry: EmulatedRequest, fields: Record<string, unknown>): PictureOrder | OpenAiError {
  const { imageModels: models, isCompatible } = state.options
  const kind = entry.path.endsWith('edits') ? 'edits' : 'generations'
  const references = entry.files ?? []
  return isCompatible
    ? readCompatibleOrder(kind, fields, { models, references: references.length })
    : readPictureOrder(kind, fields, { models, references })
}

/** The answer of a compatible server, with the usage that LocalAI gives. */
async function handOver(state: State, order: PictureOrder, origin: string): Promise<unknown> {
  const picture = await state.makePicture({ ...order, text: order.prompt })
  const base64 = picture.toString('base64')
  const path = `${LINK_PATH}b64${randomBytes(6).toString('hex')}.png`
  state.linked.set(path, picture)
  const item: Record<PictureForm, Record<string, string>> = {
    base64: { b64_json: base64, url: '' },
    data_url: { b64_json: `data:image/png;base64,${base64}` },
    link: { url: origin + path },
    relative_link: { url: path },
  }
  return {
    created: Math.floor(Date.now() / 1000),
    data: [{ embedding: null, index: 0, ...item[state.pictureForm] }],
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
  }
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
