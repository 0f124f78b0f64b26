import { setTimeout as sleep } from 'node:timers/promises'
import { isAboutKey, readWords, toReason } from './leonardo-errors.ts'
import { type LeonardoAccess, leonardoHeaders, MAX_ANSWER_BYTES } from './leonardo-job.ts'
import { ProviderError } from './provider.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { isRecord, textField } from './untrusted.ts'
import { callUpstream, type UpstreamAnswer } from './upstream-call.ts'

interface Watch {
  readonly id: string
  /** Ordered a moment ago: it may not be visible yet. */
  readonly isNew: boolean
  /** On the clock of performance.now(). */
  readonly endMs: number
  readonly signal: AbortSignal
}

/** What one poll told. */
type News =
  | { readonly state: 'done'; readonly link: string }
  | { readonly state: 'pending' }
  /** No such job, or a job that is done and has no picture: what may be right a moment later. */
  | { readonly state: 'missing'; readonly what: 'job' | 'picture' }
  | { readonly state: 'trouble'; readonly why: string; readonly status?: number; readonly retryAfterMs?: number }

const POLL_TIMEOUT_MS = 15_000
const LEAST_POLL_TIMEOUT_MS = 500
/** The first poll after an order comes a little later than the others. */
const FIRST_PAUSE = 1.2
/** Pauses after failed polls double up to this many times the usual one. */
const LONGEST_PAUSE = 8
const MISSES = { isNew: 10, isOld: 4 }
const KEY_STATUSES = new Set([401, 402, 403, 407])

/**
 * Polls until the job has a link to its picture. Polls are free, so what goes wrong with one is tried again, and at
 * the end of the time the job still goes on (`isJobAlive`). Only what the job itself says ends it.
 */
export async function awaitLeonardoLink(access: LeonardoAccess, watch: Watch): Promise<string> {
  let tally = { troubles: 0, misses: 0 }
  // However short the time is, one poll has a place in it.
  let pauseMs = watch.isNew ? Math.min(access.pollMs * FIRST_PAUSE, (watch.endMs - performance.now()) / 2) : 0
  for (;;) {
    await rest(pauseMs, watch)
    const news = await poll(access, watch)
    if (news.state === 'done') {
      return news.link
    }
    tally = count(tally, news)
    if (news.state === 'missing' && tally.misses >= (watch.isNew ? MISSES.isNew : MISSES.isOld)) {
      throw lost(news.what, watch)
    }
    pauseMs = nextPauseMs(access.pollMs, news, tally.troubles)
    if (performance.now() + pauseMs > watch.endMs) {
      throw outOfTime(news, watch)
    }
  }
}

/** Failed polls in a row, and how often the job was missing since it was last seen. */
function count({ troubles, misses }: { troubles: number; misses: number }, news: News) {
  switch (news.state) {
    case 'trouble':
      return { troubles: troubles + 1, misses }
    case 'missing':
      return { troubles: 0, misses: misses + 1 }
    case 'pending':
    case 'done':
      return { troubles: 0, misses: 0 }
  }
}

/** Between 0.8 and 1.2 times the usual, doubled for each failure in a row; what Leonardo asks for is a floor. */
function nextPauseMs(pollMs: number, news: News, troubles: number): number {
  const growth = Math.min(LONGEST_PAUSE, 2 ** Math.min(10, troubles))
  const usualMs = pollMs * growth * (0.8 + 0.4 * Math.random())
  return news.state === 'trouble' ? Math.max(usualMs, news.retryAfterMs ?? 0) : usualMs
}

async function rest(pauseMs: number, { id, signal }: Watch): Promise<void> {
  try {
    await sleep(Math.max(0, pauseMs), undefined, { signal })
  } catch {
    // The signal is the only thing that ends a sleep.
    throw calledOff(id, signal)
  }
}

async function poll(access: LeonardoAccess, { id, endMs, signal }: Watch): Promise<News> {
  let answer: UpstreamAnswer
  try {
    answer = await callUpstream({
      vendor: 'Leonardo',
      url: `${access.baseUrl}/v1/generations/${id}`,
      method: 'GET',
      headers: leonardoHeaders(access),
      signal,
      timeoutMs: Math.ceil(Math.min(POLL_TIMEOUT_MS, Math.max(LEAST_POLL_TIMEOUT_MS, endMs - performance.now()))),
      maxBytes: MAX_ANSWER_BYTES,
      isRepeatable: true,
    })
  } catch (error) {
    if (signal.aborted) {
      throw calledOff(id, signal)
    }
    const { message, status } = error instanceof ProviderError ? error : { message: 'no answer', status: undefined }
    if (status !== undefined && KEY_STATUSES.has(status)) {
      throw locked(id, status)
    }
    return { state: 'trouble', why: message, ...(status !== undefined && { status }) }
  }
  return readNews(answer, id)
}

function readNews(answer: UpstreamAnswer, id: string): News {
  const { status, headers, json } = answer
  if (status === 404) {
    return { state: 'missing', what: 'job' }
  }
  if (status !== 200) {
    const words = readWords(answer)
    if (KEY_STATUSES.has(status) || isAboutKey(words)) {
      throw locked(id, status)
    }
    const retryAfterMs = readRetryAfterMs(headers, words, Date.now())
    const why = `Leonardo answered ${status} to a poll`
    return { state: 'trouble', why, status, ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }
  const generation = isRecord(json) ? json.generations_by_pk : undefined
  if (generation === null) {
    return { state: 'missing', what: 'job' }
  }
  if (!isRecord(generation)) {
    return { state: 'trouble', why: 'Leonardo answered 200 to a poll, but says nothing of the job', status }
  }
  return readGeneration(generation, id)
}

function readGeneration(generation: Readonly<Record<string, unknown>>, id: string): News {
  const status = textField(generation, 'status')
  if (status === 'FAILED') {
    throw failed(generation, id)
  }
  if (status !== 'COMPLETE') {
    // PENDING, or a status that is not known, which must be on the way to one that is.
    return { state: 'pending' }
  }
  // Whether a picture that is marked `nsfw` is served is the operator's policy, not ours.
  const images: readonly unknown[] = Array.isArray(generation.generated_images) ? generation.generated_images : []
  const link = images.map((image) => textField(image, 'url')).find(Boolean)
  return link === undefined ? { state: 'missing', what: 'picture' } : { state: 'done', link }
}

/** Refused for its content if the job says so; else it came to nothing, and a new job is due. */
function failed(generation: Readonly<Record<string, unknown>>, upstreamId: string): ProviderError {
  const categories = readCategories(generation)
  if (categories !== undefined) {
    const reason = categories.map(toReason).find((name) => name !== undefined)
    return new ProviderError('moderation', 'Leonardo refused the content of the job', { upstreamId, reason })
  }
  return new ProviderError('transient', 'the job failed at Leonardo, which gave no reason', { upstreamId })
}

/** Undefined: nothing says that the content was the reason. An empty list: it was, but how is not said. */
function readCategories(generation: Readonly<Record<string, unknown>>): string[] | undefined {
  // Seen by third parties: [{ moderationClassification: ['NSFW'] }], with an empty list when nothing was found.
  const found = generation.prompt_moderations ?? generation.promptModerations
  const categories = (Array.isArray(found) ? found : []).flatMap((entry: unknown): unknown[] =>
    isRecord(entry) && Array.isArray(entry.moderationClassification) ? entry.moderationClassification : [],
  )
  const names = categories.filter((category) => typeof category === 'string')
  if (names.length > 0) {
    return names
  }
  const words = ['error', 'message', 'reason', 'failure_reason', 'failureReason', 'statusReason']
  const isWorded = words.some((field) => /moderat|inappropriate/i.test(textField(generation, field) ?? ''))
  return isWorded ? [] : undefined
}

function lost(what: 'job' | 'picture', { id, isNew }: Watch): ProviderError {
  if (what === 'picture') {
    return new ProviderError('unknown', 'Leonardo calls the job complete, but gives no picture', { upstreamId: id })
  }
  if (isNew) {
    const message = 'Leonardo does not yet know the job that it has just taken'
    return new ProviderError('transient', message, { upstreamId: id, isJobAlive: true })
  }
  return new ProviderError('unknown', 'Leonardo no longer knows the job', { upstreamId: id })
}

function outOfTime(news: News, { id }: Watch): ProviderError {
  const trouble = news.state === 'trouble' ? news : undefined
  return new ProviderError('transient', `the picture did not come in time: ${trouble?.why ?? 'Leonardo is at work'}`, {
    upstreamId: id,
    isJobAlive: true,
    status: trouble?.status,
    retryAfterMs: trouble?.retryAfterMs,
  })
}

function locked(upstreamId: string, status: number): ProviderError {
  const message = `Leonardo answered ${status} to a poll: the key is not let in`
  return new ProviderError('credentials', message, { upstreamId, status, isJobAlive: true })
}

function calledOff(upstreamId: string, signal: AbortSignal): ProviderError {
  const message = 'called off while Leonardo was at work'
  return new ProviderError('transient', message, { upstreamId, isJobAlive: true, cause: signal.reason })
}
