import { classifyCutOff, classifyLeonardoRefusal } from './leonardo-errors.ts'
import { isLeonardoJob, type LeonardoAccess, leonardoHeaders, MAX_ANSWER_BYTES } from './leonardo-job.ts'
import { ProviderError, type ProviderImage, type ProviderRequest } from './provider.ts'
import { isRecord, textField } from './untrusted.ts'
import { callUpstream, type UpstreamAnswer } from './upstream-call.ts'

export interface LeonardoJob {
  readonly id: string
  readonly price?: Pick<ProviderImage, 'usage' | 'costMicroUsd'>
}

/** An order is taken at once; the work comes after it. */
const CREATE_TIMEOUT_MS = 60_000

/** The style "None": the prompt has style words of its own. */
const NO_STYLE = '556c1ee5-ec38-42e8-955a-1e82dad0ffa1'
const LIMITS = { v1: { side: 1536, prompt: 1500 }, v2: { side: 2048, prompt: 2000 } }
const MIN_SIDE = 32
const SIDE_STEP = 8

/** Orders one picture: the only paid call, sent once. */
export async function createLeonardoJob(
  access: LeonardoAccess,
  request: ProviderRequest,
  limits: { signal: AbortSignal; timeoutMs: number },
): Promise<LeonardoJob> {
  const order = isModelId(access.model) ? orderV1(access.model, request) : orderV2(access.model, request)
  let answer: UpstreamAnswer
  try {
    answer = await callUpstream({
      vendor: 'Leonardo',
      url: `${access.baseUrl}${order.path}`,
      method: 'POST',
      headers: { ...leonardoHeaders(access), 'content-type': 'application/json' },
      body: JSON.stringify(order.body),
      signal: limits.signal,
      timeoutMs: Math.min(CREATE_TIMEOUT_MS, limits.timeoutMs),
      maxBytes: MAX_ANSWER_BYTES,
    })
  } catch (error) {
    if (error instanceof ProviderError && error.status !== undefined) {
      const { message, status, cause } = error
      throw new ProviderError(classifyCutOff(status), message, { status, cause })
    }
    throw error
  }
  if (answer.status < 200 || answer.status >= 300) {
    throw classifyLeonardoRefusal(answer, { apiKey: access.apiKey, prompt: order.prompt })
  }
  return readJob(answer)
}

interface Order {
  readonly path: string
  readonly body: unknown
  readonly prompt: string
}

function orderV2(model: string, request: ProviderRequest): Order {
  const prompt = cutAtWord(request.prompt, LIMITS.v2.prompt)
  const parameters = {
    prompt,
    mode: request.model === 'premium' ? 'QUALITY' : 'FAST',
    contrast: 'MEDIUM',
    ...fitSides(request, LIMITS.v2.side),
    quantity: 1,
    style_ids: [NO_STYLE],
    prompt_enhance: 'OFF',
  }
  return { path: '/v2/generations', body: { model, public: false, parameters }, prompt }
}

function orderV1(modelId: string, request: ProviderRequest): Order {
  const prompt = cutAtWord(request.prompt, LIMITS.v1.prompt)
  const body = {
    modelId,
    prompt,
    ...fitSides(request, LIMITS.v1.side),
    num_images: 1,
    contrast: 3.5,
    alchemy: request.model === 'premium',
    public: false,
    styleUUID: NO_STYLE,
    enhancePrompt: false,
  }
  return { path: '/v1/generations', body, prompt }
}

/** Models of the first API have a UUID for a name. */
function isModelId(model: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(model)
}

/** The same shape with sides that Leonardo takes: multiples of 8, none longer than `longest`. The caller enlarges. */
function fitSides(size: { width: number; height: number }, longest: number): { width: number; height: number } {
  const scale = Math.min(1, longest / Math.max(size.width, size.height))
  const fit = (side: number): number => Math.max(MIN_SIDE, Math.round((side * scale) / SIDE_STEP) * SIDE_STEP)
  return { width: fit(size.width), height: fit(size.height) }
}

/** The beginning, without half a word or half a character; a "word" of more than half the limit is cut through. */
function cutAtWord(text: string, limit: number): string {
  if (text.length <= limit) {
    return text
  }
  // One more, for a word may end right at the limit.
  const head = text.slice(0, limit + 1)
  const at = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\n'))
  if (at > limit / 2) {
    return text.slice(0, at).trimEnd()
  }
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(limit - 1))
  return text.slice(0, isHalf ? limit - 1 : limit)
}

/** What says that an order was taken but can't be read is `unknown`: a job that is paid for may be at work. */
function readJob({ status, headers, json }: UpstreamAnswer): LeonardoJob {
  const job = isRecord(json) ? (json.generate ?? json.sdGenerationJob) : undefined
  const id = textField(job, 'generationId')
  if (id === undefined || !isLeonardoJob(id)) {
    const upstreamId = headers.get('x-request-id')?.slice(0, 100)
    throw new ProviderError('unknown', `Leonardo answered ${status}, but names no job`, { status, upstreamId })
  }
  return { id, price: readPrice(job) }
}

/** Each answer says what the job costs, so there is no list of prices here. */
function readPrice(job: unknown): Pick<ProviderImage, 'usage' | 'costMicroUsd'> {
  const fields = isRecord(job) ? job : {}
  const credits = toAmount(fields.apiCreditCost)
  const cost = isRecord(fields.cost) && fields.cost.unit === 'DOLLARS' ? toAmount(fields.cost.amount) : undefined
  return {
    ...(credits !== undefined && typeof fields.apiCreditCost === 'number' && { usage: { apiCreditCost: credits } }),
    ...(cost !== undefined && { costMicroUsd: Math.round(cost * 1_000_000) }),
  }
}

/** A sum as a number or as a text; undefined for everything else. */
function toAmount(value: unknown): number | undefined {
  const amount = typeof value === 'string' && /^\d{1,9}(?:\.\d{1,20})?$/.test(value) ? Number(value) : value
  return typeof amount === 'number' && Number.isFinite(amount) && amount >= 0 ? amount : undefined
}
