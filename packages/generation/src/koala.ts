import { createHash } from 'node:crypto'
import { modelEntry } from '@wombat/contract'
import { keepJob } from './keep-job.ts'
import { classifyKoalaRefusal } from './koala-errors.ts'
import { awaitKoalaPicture } from './koala-picture.ts'
import { type ImageProvider, ProviderError, type ProviderImage, type ProviderRequest } from './provider.ts'
import { textField } from './untrusted.ts'
import { callUpstream, type UpstreamAnswer } from './upstream-call.ts'

export interface KoalaOptions {
  readonly apiKey: string
  /** Where /api/image-generation/ is: koala.sh, or another Wombat. */
  readonly baseUrl?: string | undefined
  /** How long one call waits for a picture. A later one goes on waiting for the same. */
  readonly timeoutMs?: number | undefined
  /** The upstream stands on a private network, and so do its pictures. */
  readonly allowPrivateLinks?: boolean | undefined
}

const KOALA_URL = 'https://koala.sh'
const VENDOR = 'the Koala upstream'
const PICTURE_TIMEOUT_MS = 280_000
/** The answer to an order never waits for the picture. */
const ORDER_TIMEOUT_MS = 60_000
const CHECK_TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 1024 * 1024
const MAX_PAGE_BYTES = 8 * 1024 * 1024
/** So many orders of an image that were given up are looked through for one that wasn't. */
const MAX_REPLAYS = 5

interface Order {
  /** The URL of the picture, which is all that is needed to go on. */
  readonly job: string
  /** Nothing was ordered: this is what an earlier call ordered. */
  readonly isReplay: boolean
  readonly facts: Omit<ProviderImage, 'bytes'>
}

/** The KoalaImages API: ordered at once, paid in its credits, and fetched from a URL that answers when there is a picture. */
export function createKoalaProvider(options: KoalaOptions): ImageProvider {
  const baseUrl = (options.baseUrl ?? KOALA_URL).replace(/\/+$/, '')
  const awaitPicture = (job: string, signal: AbortSignal): Promise<Buffer> =>
    awaitKoalaPicture(job, {
      apiKey: options.apiKey,
      allowPrivate: options.allowPrivateLinks ?? false,
      signal,
      timeoutMs: options.timeoutMs ?? PICTURE_TIMEOUT_MS,
    })
  return {
    name: 'koala',
    isPaid: true,
    takesReferenceUrls: true,
    async generate(request, signal) {
      if (signal.aborted) {
        throw new ProviderError('transient', 'called off before it was sent', { cause: signal.reason })
      }
      if (request.job !== undefined) {
        return { bytes: await awaitPicture(request.job, signal), ...identify(request.job) }
      }
      // Each turn but the last is one that cost nothing: the answer to an order of before.
      for (let turn = 0; ; turn += 1) {
        const order = await place(request, turn, { ...options, baseUrl, signal })
        await keepJob(request, order.job)
        try {
          return { bytes: await awaitPicture(order.job, signal), ...order.facts }
        } catch (error) {
          if (!order.isReplay || !isGivenUp(error)) {
            throw error
          }
        }
      }
    },
    check: () => check(baseUrl),
    close: async () => {},
  }
}

async function place(
  request: ProviderRequest,
  turn: number,
  access: KoalaOptions & { baseUrl: string; signal: AbortSignal },
): Promise<Order> {
  const { apiKey, baseUrl, signal, timeoutMs = ORDER_TIMEOUT_MS } = access
  const body = JSON.stringify(toBody(request))
  const answer = await callUpstream({
    vendor: VENDOR,
    url: `${baseUrl}/api/image-generation/`,
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      accept: 'application/json',
      ...idempotency(request.imageId, body, turn),
    },
    body,
    signal,
    timeoutMs: Math.min(timeoutMs, ORDER_TIMEOUT_MS),
    maxBytes: MAX_ANSWER_BYTES,
  })
  if (answer.status < 200 || answer.status > 299) {
    throw classifyKoalaRefusal(answer, { vendor: VENDOR, apiKey, prompt: request.prompt })
  }
  return readOrder(answer, baseUrl, turn)
}

function toBody(request: ProviderRequest) {
  const { qualities, honoursPreserveOriginal } = modelEntry(request.model)
  return {
    prompt: request.prompt,
    model: request.model,
    ...(qualities.length > 1 && { quality: request.quality }),
    size: `${request.width}x${request.height}`,
    numImages: 1,
    // The prompt is final.
    style: 'none',
    enhancePrompt: 'off',
    ...(request.referenceUrls.length > 0 && { referenceImages: request.referenceUrls }),
    ...(request.isOriginalPreserved && honoursPreserveOriginal && { preserveOriginal: true }),
  }
}

/**
 * A Wombat answers a key that it has seen with what was ordered then, so an order whose answer got lost is not paid
 * twice. It does so too after it gave that order up, and then a key of the next turn is due. Nothing has to be
 * remembered for that: every call begins at the first turn and finds its way along the orders that were given up.
 * After many of them it orders without a key, as with koala.sh, which knows none.
 */
function idempotency(imageId: string, body: string, turn: number): Record<string, string> {
  if (turn >= MAX_REPLAYS) {
    return {}
  }
  const hash = createHash('sha256')
    .update(JSON.stringify([imageId, turn, body]))
    .digest('hex')
  return { 'idempotency-key': `wombat-${hash.slice(0, 40)}` }
}

/** Whatever is wrong with an answer of 200 is `unknown`: the upstream has its credits. */
function readOrder({ status, headers, json }: UpstreamAnswer, baseUrl: string, turn: number): Order {
  const requestId = headers.get('x-request-id')?.slice(0, 100)
  const item: unknown = Array.isArray(json) ? json[0] : undefined
  const url = textField(item, 'url')
  const job = url ? URL.parse(url, baseUrl) : null
  if (job === null) {
    throw new ProviderError('unknown', `${VENDOR} answered ${status}, but there is no URL of a picture in it`, {
      status,
      upstreamId: requestId,
    })
  }
  const credits = headers.get('x-credits-charged') ?? ''
  return {
    job: job.href,
    isReplay: turn < MAX_REPLAYS && headers.get('idempotent-replayed') === 'true',
    facts: {
      ...identify(job.href),
      ...(/^\d{1,9}$/.test(credits) && { usage: { credits: Number(credits) } }),
    },
  }
}

/** The image's id in the URL. */
function identify(job: string): { upstreamId?: string } {
  const id = /\/([\w-]{1,100})(?:\.\w+)?$/.exec(URL.parse(job)?.pathname ?? '')?.[1]
  return id === undefined ? {} : { upstreamId: id }
}

function isGivenUp(error: unknown): boolean {
  return error instanceof ProviderError && error.failure === 'transient' && !error.isJobAlive
}

/**
 * The API documents nothing that is free, so this finds out only that the upstream can be reached: neither the key nor
 * the credits are looked at.
 */
async function check(baseUrl: string): Promise<void> {
  const { status } = await callUpstream({
    vendor: VENDOR,
    url: `${baseUrl}/`,
    method: 'GET',
    headers: {},
    signal: new AbortController().signal,
    timeoutMs: CHECK_TIMEOUT_MS,
    maxBytes: MAX_PAGE_BYTES,
    isRepeatable: true,
  })
  if (status >= 500) {
    throw new ProviderError('transient', `${VENDOR} answered ${status}`, { status })
  }
}
