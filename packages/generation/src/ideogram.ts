import { classifyIdeogramError } from './ideogram-errors.ts'
import { chooseResolution } from './ideogram-resolutions.ts'
import { fetchLink } from './picture-link.ts'
import { type ImageProvider, ProviderError, type ProviderImage, type ProviderRequest } from './provider.ts'
import { isRecord, textField } from './untrusted.ts'
import { callUpstream, type UpstreamAnswer } from './upstream-call.ts'

export interface IdeogramOptions {
  readonly apiKey: string
  /** Without the path of the endpoint. */
  readonly baseUrl?: string | undefined
  /** For the order, from the first byte sent to the last of the answer, and again for each try to load the picture. */
  readonly timeoutMs?: number | undefined
  /** PROVIDER_ALLOW_PRIVATE: the links in the answers may lead to private addresses. */
  readonly allowPrivateLinks?: boolean | undefined
}

interface Access {
  readonly apiKey: string
  readonly url: string
  readonly timeoutMs: number
  readonly allowPrivate: boolean
}

interface Link {
  readonly url: string
  /** False when it is lost with this call. */
  readonly isKept: boolean
}

const BASE_URL = 'https://api.ideogram.ai'
const TIMEOUT_MS = 60_000
const CHECK_TIMEOUT_MS = 10_000
/** The answer is a link and a few words. */
const MAX_ANSWER_BYTES = 1024 * 1024
/** A picture at TURBO costs 0.03 USD (ideogram.ai/api-pricing, providers.md §1). */
const COST_MICRO_USD = 30_000

/** Ideogram 3.0 at its turbo speed. What it answers is a link that expires; `onJob` keeps it. */
export function createIdeogramProvider(options: IdeogramOptions): ImageProvider {
  const access: Access = {
    apiKey: options.apiKey,
    url: `${(options.baseUrl ?? BASE_URL).replace(/\/+$/, '')}/v1/ideogram-v3/generate`,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    allowPrivate: options.allowPrivateLinks ?? false,
  }
  return {
    name: 'ideogram',
    isPaid: true,
    async generate(request, signal) {
      if (request.job !== undefined) {
        refuseExpired(request.job, Date.now())
        return await load({ url: request.job, isKept: true }, access, signal)
      }
      const url = await order(request, access, signal)
      return await load({ url, isKept: await keep(url, request) }, access, signal)
    },
    check: () => check(access),
    close: async () => {},
  }
}

/** Pays for one picture, and answers the link to it. */
async function order(request: ProviderRequest, access: Access, signal: AbortSignal): Promise<string> {
  const fields = {
    prompt: request.prompt,
    resolution: chooseResolution(request),
    rendering_speed: 'TURBO',
    // The prompt is final: our enhancer has been at it, or the client wants it as it is.
    magic_prompt: 'OFF',
    // The style is in the prompt, so that all models understand it alike.
    style_type: 'GENERAL',
    num_images: '1',
  }
  const answer = await callUpstream({ ...toCall(access, fields), signal, timeoutMs: access.timeoutMs })
  if (!isSuccess(answer)) {
    throw classifyIdeogramError(answer, { apiKey: access.apiKey, prompt: request.prompt })
  }
  return readLink(answer)
}

function toCall({ apiKey, url }: Access, fields: Readonly<Record<string, string>>) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    body.append(name, value)
  }
  const headers = { 'Api-Key': apiKey }
  return { vendor: 'Ideogram', url, method: 'POST', headers, body, maxBytes: MAX_ANSWER_BYTES } as const
}

function isSuccess({ status }: UpstreamAnswer): boolean {
  return status >= 200 && status < 300
}

/** What is wrong with an answer of success is `unknown`: the upstream thinks that it delivered. */
function readLink({ status, json }: UpstreamAnswer): string {
  const data = isRecord(json) && Array.isArray(json.data) ? json.data : []
  const picture: unknown = data[0]
  if (isRecord(picture) && picture.is_image_safe === false) {
    throw new ProviderError('moderation', `Ideogram answered ${status}: the picture failed its safety check`, {
      status,
    })
  }
  const link = textField(picture, 'url') ?? ''
  if (!/^https?:$/.test(URL.parse(link)?.protocol ?? '')) {
    throw new ProviderError('unknown', `Ideogram answered ${status}, but without a link to a picture`, { status })
  }
  return link
}

async function keep(link: string, request: ProviderRequest): Promise<boolean> {
  try {
    await request.onJob(link)
    return true
  } catch {
    // The link still works in this call; only a later one will not know of it.
    return false
  }
}

async function load({ url, isKept }: Link, access: Access, signal: AbortSignal): Promise<ProviderImage> {
  const upstreamId = /\/([\w-]{1,80})\.\w{3,4}$/.exec(URL.parse(url)?.pathname ?? '')?.[1]
  try {
    const { allowPrivate, timeoutMs } = access
    const bytes = await fetchLink(url, { vendor: 'Ideogram', allowPrivate, signal, timeoutMs })
    return { bytes, costMicroUsd: COST_MICRO_USD, ...(upstreamId !== undefined && { upstreamId }) }
  } catch (error) {
    if (!(error instanceof ProviderError)) {
      throw error
    }
    const isLost = error.isJobAlive && !isKept
    throw new ProviderError(isLost ? 'unknown' : error.failure, error.message, {
      cause: error.cause,
      isJobAlive: error.isJobAlive && isKept,
      upstreamId,
    })
  }
}

/**
 * Spares the way to a link that says itself that it is dead. Only for one that was kept: a new one is good even if our
 * clock is wrong.
 */
function refuseExpired(link: string, nowMs: number): void {
  const seconds = /^\d{9,11}$/.exec(URL.parse(link)?.searchParams.get('exp') ?? '')?.[0]
  if (seconds !== undefined && Number(seconds) * 1000 <= nowMs) {
    throw new ProviderError('unknown', 'the link of Ideogram to its picture has expired')
  }
}

/**
 * Sends an order without a prompt and for no pictures, which can't be charged. That it is refused as invalid proves that
 * Ideogram is reached and that the endpoint is there; and the key, as far as Ideogram looks at it first. It does not
 * prove that there is money on the account.
 */
async function check(access: Access): Promise<void> {
  const call = toCall(access, { rendering_speed: 'TURBO', num_images: '0' })
  const signal = new AbortController().signal
  const answer = await callUpstream({ ...call, signal, timeoutMs: CHECK_TIMEOUT_MS, isRepeatable: true })
  if (isSuccess(answer)) {
    throw new ProviderError('mistake', `${answer.status} to an order without a prompt: this is not Ideogram's API`, {
      status: answer.status,
    })
  }
  if (answer.status !== 400 && answer.status !== 422) {
    throw classifyIdeogramError(answer, { apiKey: access.apiKey })
  }
}
