import { createLeonardoJob } from './leonardo-create.ts'
import { isAboutKey, readWords } from './leonardo-errors.ts'
import { isLeonardoJob, type LeonardoAccess, leonardoHeaders, MAX_ANSWER_BYTES } from './leonardo-job.ts'
import { awaitLeonardoLink } from './leonardo-poll.ts'
import { fetchLink } from './picture-link.ts'
import { type ImageProvider, ProviderError, type ProviderRequest } from './provider.ts'
import { callUpstream } from './upstream-call.ts'

export interface LeonardoOptions {
  readonly apiKey: string
  /** Without a version: /v1 and /v2 are put behind it. */
  readonly baseUrl?: string | undefined
  /** A name of the second API, or the UUID of a model, which only the first knows. */
  readonly model?: string | undefined
  /** From the order to the link of the picture, all polls included. */
  readonly timeoutMs?: number | undefined
  /** About the time between two polls. */
  readonly pollMs?: number | undefined
  /** The upstream stands on a private network, and so do its links. */
  readonly allowPrivateLinks?: boolean | undefined
}

export const LEONARDO_IMAGE_MODEL = 'phoenix-v1.0'

const LEONARDO_URL = 'https://cloud.leonardo.ai/api/rest'
const TIMEOUT_MS = 290_000
const POLL_MS = 2500
const LINK_TIMEOUT_MS = 60_000
const CHECK_TIMEOUT_MS = 10_000

/** Leonardo Phoenix: a job is ordered, its id is kept, and polls, which are free, wait for the link to its picture. */
export function createLeonardoProvider(options: LeonardoOptions): ImageProvider {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const access: LeonardoAccess = {
    apiKey: options.apiKey,
    baseUrl: (options.baseUrl ?? LEONARDO_URL).replace(/\/+$/, ''),
    model: options.model ?? LEONARDO_IMAGE_MODEL,
    pollMs: options.pollMs ?? POLL_MS,
  }
  return {
    name: 'leonardo',
    isPaid: true,
    async generate(request, signal) {
      const endMs = performance.now() + timeoutMs
      const isNew = request.job === undefined
      const job = isNew ? await begin(access, request, { signal, timeoutMs }) : { id: readJob(request.job) }
      const link = await awaitLeonardoLink(access, { id: job.id, isNew, endMs, signal })
      const bytes = await fetchPicture(link, job.id, {
        signal,
        allowPrivate: options.allowPrivateLinks ?? false,
        timeoutMs: Math.min(LINK_TIMEOUT_MS, timeoutMs),
      })
      return { ...job.price, bytes, upstreamId: job.id }
    },
    check: () => check(access),
    close: async () => {},
  }
}

async function begin(
  access: LeonardoAccess,
  request: ProviderRequest,
  limits: { signal: AbortSignal; timeoutMs: number },
): ReturnType<typeof createLeonardoJob> {
  const job = await createLeonardoJob(access, request, limits)
  try {
    await request.onJob(job.id, job.price)
  } catch {
    // The job is paid for whether its name could be kept or not: go on and get the picture now.
  }
  return job
}

/** A name that can't be one of Leonardo's stands for a job that can't be found again. */
function readJob(job: string | undefined): string {
  if (job === undefined || !isLeonardoJob(job)) {
    throw new ProviderError('unknown', 'the name that was kept is no job of Leonardo')
  }
  return job
}

async function fetchPicture(
  link: string,
  upstreamId: string,
  limits: { signal: AbortSignal; allowPrivate: boolean; timeoutMs: number },
): Promise<Buffer> {
  try {
    return await fetchLink(link, { vendor: 'Leonardo', ...limits })
  } catch (error) {
    if (!(error instanceof ProviderError)) {
      throw error
    }
    const { failure, message, cause, isJobAlive } = error
    throw new ProviderError(failure, message, { cause, isJobAlive, upstreamId })
  }
}

const KEY_STATUSES = new Set([401, 402, 403, 407])

/**
 * Asks who the key belongs to, which is free [?]. A server that answers but does not know the question is taken to be
 * well; whether it would take an order can't be found out without one.
 */
async function check(access: LeonardoAccess): Promise<void> {
  const answer = await callUpstream({
    vendor: 'Leonardo',
    url: `${access.baseUrl}/v1/me`,
    method: 'GET',
    headers: leonardoHeaders(access),
    signal: new AbortController().signal,
    timeoutMs: CHECK_TIMEOUT_MS,
    maxBytes: MAX_ANSWER_BYTES,
    isRepeatable: true,
  })
  const { status } = answer
  if (KEY_STATUSES.has(status) || isAboutKey(readWords(answer))) {
    throw new ProviderError('credentials', `Leonardo answered ${status} to the question whose key this is`, { status })
  }
  if (status === 429) {
    throw new ProviderError('throttled', 'Leonardo answered 429', { status })
  }
  const isFine = status === 200 ? answer.json !== undefined : status >= 400 && status < 500
  if (!isFine) {
    throw new ProviderError('transient', `Leonardo answers, but could not be verified (${status})`, { status })
  }
}
