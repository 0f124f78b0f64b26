import { createHash } from 'node:crypto'
import type { ModelId, Quality, Style } from '@wombat/contract'
import {
  type FailureClass,
  type OpenRoute,
  ProviderError,
  type ProviderImage,
  type ProviderRequest,
  type Reference,
} from '@wombat/generation'
import {
  type AttemptEnd,
  type ClaimedImage,
  closeAttempt,
  countAttempts,
  type EncodedImage,
  encodeImage,
  ImageDecodeError,
  noteJob,
  openAttempt,
  resumeAttempt,
} from '@wombat/images'
import { tellRoute, tryRoute } from './breaker.ts'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { persist } from './persist.ts'
import { withoutPrompt } from './without-prompt.ts'

/** One call of one route. */
export interface Turn {
  readonly route: OpenRoute
  /** The route was down, and this call finds out whether it still is. */
  readonly isProbe: boolean
  /** A job of the upstream to go on with, instead of a call that costs. */
  readonly job: ClaimedImage['job']
}

/**
 * Writes the attempt down, sends its one call, and writes down how it ended, whatever that is. Undefined: the claim was
 * lost before anything was sent. Throws ProviderError, or StillDownError when nothing was sent because of the route.
 */
export async function attemptImage(
  engine: Engine,
  image: ClaimedImage,
  turn: Turn,
  material: { prompt: string; references: readonly Reference[]; signal: AbortSignal; deadlineMs: number },
): Promise<EncodedImage | undefined> {
  const { route, job } = turn
  if (turn.isProbe) {
    await tryRoute(engine, route, image.imageId)
  }
  const attemptId = await begin(engine, image, turn)
  if (attemptId === undefined) {
    return undefined
  }
  const startedMs = performance.now()
  let answer: ProviderImage | undefined
  let latencyMs: number | undefined
  try {
    const request = toRequest(image, {
      ...material,
      unclearCalls: await countUnclear(engine, image, route),
      job: job?.id,
      onJob: (id, price) => noteJob(engine.db, attemptId, { id, ...price }),
    })
    answer = await route.provider.generate(request, material.signal)
    latencyMs = performance.now() - startedMs
    const encoded = await encodeImage(answer.bytes, image)
    // The picture is there and paid for: a database that is away for a moment must not make it unknown.
    const end: AttemptEnd = { outcome: 'done', latencyMs, ...meter(answer, route) }
    await persist(() => closeAttempt(engine.db, attemptId, end), {
      signal: material.signal,
      endMs: material.deadlineMs,
      log: engine.log,
      imageId: image.imageId,
      what: 'receipt',
    })
    tally(engine, image, route, { outcome: 'done', failure: undefined, latencyMs })
    if (!isActed(image, route)) {
      await tellRoute(engine, { route, imageId: image.imageId, error: undefined, tookMs: latencyMs })
    }
    return encoded
  } catch (error) {
    const known = toProviderError(error)
    known.message = withoutPrompt(known.message, [image.prompt, material.prompt])
    latencyMs ??= performance.now() - startedMs
    // A job that goes on keeps its attempt open: the next claim resumes it.
    if (!known.isJobAlive) {
      tally(engine, image, route, { outcome: OUTCOMES[known.failure], failure: known.failure, latencyMs })
      await closeAttempt(engine.db, attemptId, {
        outcome: OUTCOMES[known.failure],
        failure: known.failure,
        message: known.message,
        latencyMs,
        ...(answer === undefined ? { upstreamId: known.upstreamId } : meter(answer, route)),
      })
    }
    // What the client asked for, or we called off ourselves, says nothing of the upstream.
    if (!isActed(image, route) && !material.signal.aborted) {
      await tellRoute(engine, { route, imageId: image.imageId, error: known, tookMs: performance.now() - startedMs })
    }
    throw known
  }
}

/** For metrics and traces. */
function tally(
  { metrics, tracing }: Engine,
  image: ClaimedImage,
  { name: route, provider }: OpenRoute,
  { latencyMs, ...end }: { outcome: string; failure: FailureClass | undefined; latencyMs: number },
): void {
  metrics.countAttempt({ ...end, route, seconds: latencyMs / 1000 })
  tracing.record({
    name: 'upstream.call',
    subject: image,
    startMs: Date.now() - latencyMs,
    attributes: {
      'wombat.route': route,
      'wombat.provider': provider.name,
      'wombat.outcome': end.outcome,
      'wombat.failure': end.failure,
    },
    isError: end.failure !== undefined,
  })
}

async function begin(engine: Engine, image: ClaimedImage, { route, job }: Turn): Promise<string | undefined> {
  const { imageId, fence } = image
  if (job !== undefined) {
    const isOurs = await resumeAttempt(engine.db, { attemptId: job.attemptId, imageId, fence })
    return isOurs ? job.attemptId : undefined
  }
  const { name, isPaid } = route.provider
  return await openAttempt(engine.db, { imageId, fence, route: route.name, provider: name, isPaid })
}

/** The call ends as the client asked. */
function isActed(image: ClaimedImage, route: OpenRoute): boolean {
  return image.simulate !== undefined && route.adapter === 'synthetic'
}

/** Earlier calls that a simulation has to count: who acts it out remembers nothing from one call to the next. */
async function countUnclear(engine: Engine, image: ClaimedImage, route: OpenRoute): Promise<number | undefined> {
  const isNeeded = isActed(image, route) || engine.config.SYNTHETIC_SIMULATE !== undefined
  if (!isNeeded || route.adapter !== 'synthetic') {
    return undefined
  }
  const { maybePaid } = await countAttempts(engine.db, image.imageId, { isPaid: route.provider.isPaid })
  // The call that is about to begin is among them.
  return Math.max(0, maybePaid - 1)
}

function toRequest(
  image: ClaimedImage,
  rest: Pick<ProviderRequest, 'prompt' | 'references' | 'unclearCalls' | 'job' | 'onJob'>,
): ProviderRequest {
  return {
    imageId: image.imageId,
    // All three come from columns that only validated orders were written to.
    model: image.model as ModelId,
    quality: image.quality as Quality,
    style: image.style as Style,
    originalPrompt: image.prompt,
    width: image.width,
    height: image.height,
    index: image.position,
    isOriginalPreserved: image.isOriginalPreserved,
    referenceUrls: image.referenceImages,
    ageMs: image.ageMs,
    simulate: image.simulate,
    endUser: createHash('sha256').update(image.accountId).digest('hex').slice(0, 32),
    prompt: rest.prompt,
    references: rest.references,
    unclearCalls: rest.unclearCalls,
    job: rest.job,
    onJob: rest.onJob,
  }
}

function meter({ upstreamId, usage, costMicroUsd }: ProviderImage, { usdPerImage }: OpenRoute) {
  const fixed = usdPerImage === undefined ? undefined : Math.round(usdPerImage * 1_000_000)
  return { upstreamId, usage, costMicroUsd: costMicroUsd ?? fixed }
}

const OUTCOMES: Record<FailureClass, 'refused' | 'not_sent' | 'unknown'> = {
  moderation: 'refused',
  bad_reference: 'refused',
  mistake: 'refused',
  no_picture: 'refused',
  credentials: 'not_sent',
  throttled: 'not_sent',
  transient: 'not_sent',
  unknown: 'unknown',
}

/** A picture that can't be decoded was perhaps paid for, and so was whatever broke in a way nobody foresaw. */
function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) {
    return error
  }
  const message =
    error instanceof ImageDecodeError ? `undecodable picture: ${error.message}` : describeError(error).message
  return new ProviderError('unknown', message, { cause: error })
}
