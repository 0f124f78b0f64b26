import { randomBytes } from 'node:crypto'
import { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type EmulatedRequest, type Emulator, startEmulator } from './emulator.ts'
import { badField, type GeminiError, geminiError, keyError } from './gemini-error.ts'
import type { GeminiFault } from './gemini-faults.ts'
import {
  answerGeminiError,
  jpegPart,
  performEarlyGeminiFault,
  performGeminiFault,
  refusalBody,
} from './gemini-perform.ts'
import { type GeminiOrder, readGeminiOrder } from './gemini-rules.ts'
import { REFUSED_WORD } from './openai-rules.ts'

export interface GeminiEmulatorOptions {
  /** Keys that are let in; without it each is. */
  readonly keys?: readonly string[]
  readonly models?: readonly string[]
  readonly latencyMs?: number
  readonly port?: number
}

export interface GeminiEmulator extends Emulator<GeminiFault> {
  /** With them a draft of half the size, marked as a thought, comes before the picture. */
  setThoughts(isOn: boolean): void
}

interface State {
  readonly keys: readonly string[] | undefined
  readonly models: readonly string[]
  readonly makePicture: ReturnType<typeof createPictureMaker>
  hasThoughts: boolean
}

/** What Google takes today, said to be 100 MB since the 20 MB of old were raised; not verified. */
const MAX_REQUEST_BYTES = 100 * 1024 * 1024
/** Enough of a longer one is read to answer it. */
const MAX_READ_BYTES = 128 * 1024 * 1024

/**
 * Google's generateContent with an image model, and the look-up of models, on a free port of this machine, as strict as
 * providers.md says it is. The key counts only in its header, and `fileData` and text settings are not known here.
 */
export async function startGeminiEmulator(options: GeminiEmulatorOptions = {}): Promise<GeminiEmulator> {
  const { keys, models = ['gemini-3.1-flash-image'], latencyMs, port } = options
  const state: State = { keys, models, makePicture: createPictureMaker(), hasThoughts: false }
  const emulator = await startEmulator<GeminiFault>({
    latencyMs,
    port,
    maxBodyBytes: MAX_READ_BYTES,
    headers: (tookMs) => ({ 'server-timing': `gfet4t7; dur=${tookMs}`, vary: 'Origin, X-Origin, Referer' }),
    answer: (entry) => decide(state, entry),
    perform: (fault, stage) => performGeminiFault(fault, { ...stage, makePicture: state.makePicture }),
    performEarly: performEarlyGeminiFault,
  })
  return {
    ...emulator,
    setThoughts(isOn) {
      state.hasThoughts = isOn
    },
  }
}

async function decide(state: State, entry: EmulatedRequest): Promise<Answer> {
  const route = /^\/v1beta\/models\/([\w.-]+)(:generateContent)?$/.exec(entry.path)
  const [, model = '', action] = route ?? []
  if (!route || entry.method !== (action === undefined ? 'GET' : 'POST')) {
    return notFoundPage()
  }
  const locked = checkQuery(entry) ?? checkKey(state, entry)
  if (locked) {
    return answerGeminiError(locked)
  }
  if (!state.models.includes(model)) {
    return answerGeminiError(
      geminiError(
        404,
        `models/${model} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.`,
      ),
    )
  }
  return action === undefined ? { status: 200, body: describeModel(model) } : picture(state, entry, model)
}

async function picture(state: State, entry: EmulatedRequest, model: string): Promise<Answer> {
  const broken = checkBody(entry)
  if (broken) {
    return answerGeminiError(broken)
  }
  const order = readGeminiOrder(entry.body, model)
  if ('error' in order) {
    return answerGeminiError(order)
  }
  const answer = { status: 200, body: await fulfil(state, order, model) }
  if (order.prompt.includes(REFUSED_WORD)) {
    return { status: 200, body: refusalBody({ blockReason: 'PROHIBITED_CONTENT' }, answer) }
  }
  entry.pictures = order.hasPicture ? 1 : 0
  return answer
}

function notFoundPage(): Answer {
  const page = '<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p><b>404.</b></html>'
  return { status: 404, headers: { 'content-type': 'text/html; charset=UTF-8' }, body: Buffer.from(page) }
}

function checkQuery({ query }: EmulatedRequest): GeminiError | undefined {
  const name = [...query.keys()].find((it) => it !== 'key')
  return name === undefined
    ? undefined
    : badField(
        `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. Field '${name}' could not be found in request message.`,
        '',
      )
}

function checkKey({ keys }: State, { headers }: EmulatedRequest): GeminiError | undefined {
  const key = headers['x-goog-api-key']
  if (typeof key !== 'string' || key === '') {
    return geminiError(
      403,
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
    )
  }
  return !keys || keys.includes(key) ? undefined : keyError()
}

function checkBody({ headers, body }: EmulatedRequest): GeminiError | undefined {
  if (Number(headers['content-length'] ?? 0) > MAX_REQUEST_BYTES) {
    return geminiError(400, `Request payload size exceeds the limit: ${MAX_REQUEST_BYTES} bytes.`)
  }
  if (body === undefined || !(headers['content-type'] ?? '').startsWith('application/json')) {
    return geminiError(400, 'Invalid JSON payload received. Unable to parse the body.')
  }
  return undefined
}

function describeModel(model: string): unknown {
  return {
    name: `models/${model}`,
    version: '3.1',
    displayName: 'Nano Banana 2',
    supportedGenerationMethods: ['generateContent', 'countTokens', 'batchGenerateContent'],
  }
}

async function fulfil(state: State, order: GeminiOrder, model: string): Promise<unknown> {
  const { width, height, prompt: text } = order
  const parts: unknown[] = []
  if (state.hasThoughts && order.hasPicture) {
    const draft = await state.makePicture({ width: width / 2, height: height / 2, format: 'jpeg', text })
    parts.push({ text: 'A first draft.', thought: true }, { ...jpegPart(draft), thought: true })
  }
  if (order.hasText) {
    parts.push({ text: 'Here is your picture.' })
  }
  if (order.hasPicture) {
    const made = await state.makePicture({ width, height, format: 'jpeg', text })
    parts.push({ ...jpegPart(made), thoughtSignature: randomBytes(24).toString('base64') })
  }
  return {
    candidates: [{ content: { role: 'model', parts }, finishReason: 'STOP', index: 0 }],
    usageMetadata: countTokens(order, state.hasThoughts),
    modelVersion: model,
    responseId: randomBytes(16).toString('base64url'),
  }
}

function countTokens(order: GeminiOrder, hasThoughts: boolean): unknown {
  const words = Math.ceil(order.prompt.length / 4)
  const pictures = order.references * 1120
  const output = order.hasPicture ? order.outputTokens : 0
  const spoken = order.hasText ? 5 : 0
  const thoughts = hasThoughts && order.hasPicture ? 300 : 0
  const detail = (modality: string, tokenCount: number) => (tokenCount > 0 ? [{ modality, tokenCount }] : [])
  return {
    promptTokenCount: words + pictures,
    candidatesTokenCount: output + spoken,
    totalTokenCount: words + pictures + output + spoken + thoughts,
    promptTokensDetails: [...detail('TEXT', words), ...detail('IMAGE', pictures)],
    candidatesTokensDetails: [...detail('TEXT', spoken), ...detail('IMAGE', output)],
    ...(thoughts > 0 && { thoughtsTokenCount: thoughts }),
  }
}
