import { type OpenRoute, ProviderError } from '@wombat/generation'
import {
  addGarbage,
  type ClaimedImage,
  changeRoute,
  claimImage,
  countAttempts,
  type EncodedImage,
  makeReady,
} from '@wombat/images'
import { attemptImage, type Turn } from './attempt.ts'
import type { Engine } from './engine.ts'
import { settleFailure } from './give-up.ts'
import { releaseReferences } from './keep-references.ts'
import { unknownLimit } from './limits.ts'
import { persist } from './persist.ts'
import { finalPrompt } from './prompt.ts'

/** An object that lost the race for its row is read by nobody, but its writer may still be at it. */
const LOSER_REMOVED_AFTER_SECONDS = 60
/** An image that is claimed later than this after its order may have met a closed route before. */
const WAITED_MS = 500

/**
 * Makes the image of a model that is due next, or the one that is named: claim, prompt, references, provider, encode,
 * store, and one transaction for ready and NOTIFY. Whatever goes wrong ends in another try or a refund. False: nothing
 * was due, or no route was free.
 */
export async function produceNext(
  engine: Engine,
  wanted: { model: string; imageId?: string },
  stop: AbortSignal,
): Promise<boolean> {
  const image = await claimImage(engine.db, {
    ...wanted,
    owner: engine.identity,
    leaseSeconds: engine.config.LEASE_SECONDS,
    routes: engine.models.candidates(wanted.model),
  })
  if (image === undefined) {
    return false
  }
  using lease = engine.leases.hold(image, stop)
  const startedMs = performance.now()
  const claimedMs = Date.now()
  const making: Making = {
    signal: lease.signal,
    deadlineMs: startedMs + image.remainingMs,
    tried: new Set(),
    route: engine.models.route(image.route),
  }
  let isError = true
  try {
    const made = await makeImage(engine, image, making)
    isError = false
    if (made !== undefined) {
      await releaseReferences(engine, image)
      const ms = performance.now() - startedMs
      engine.timing.record(image.model, ms / 1000)
      engine.metrics.countReady({ model: image.model, seconds: (image.ageMs + ms) / 1000 })
      engine.log.info(
        { ...idsOf(engine, image), model: image.model, route: made.route, bytes: made.bytes, ms: Math.round(ms) },
        'image ready',
      )
    }
  } catch (error) {
    await settleFailure(engine, image, error, {
      isStopping: stop.aborted,
      elapsedMs: performance.now() - startedMs,
      route: making.route,
      areRoutesLeft: engine.models.candidates(image.model, making.tried).length > 0,
    })
  } finally {
    traceClaim(engine, image, { claimedMs, isError })
  }
  return true
}

/** As lines of the log name an image. */
function idsOf({ tracing }: Engine, { imageId, requestId }: ClaimedImage) {
  return { imageId, ...tracing.ids(requestId) }
}

/** The wait before its first claim, and what a claim came to. */
function traceClaim(
  { tracing }: Engine,
  image: ClaimedImage,
  { claimedMs, isError }: { claimedMs: number; isError: boolean },
): void {
  const attributes = { 'wombat.model': image.model, 'wombat.claim': image.fence }
  if (image.fence === 1) {
    tracing.record({
      name: 'queue.wait',
      subject: image,
      startMs: claimedMs - image.ageMs,
      endMs: claimedMs,
      attributes,
    })
  }
  tracing.record({ name: 'image.produce', subject: image, startMs: claimedMs, attributes, isError })
}

/** What happens to an image between its claim and its end. */
interface Making {
  /** Aborted when the claim is lost or the process stops. */
  readonly signal: AbortSignal
  /** On the clock of performance.now(). */
  readonly deadlineMs: number
  readonly tried: Set<string>
  /** The route of the call that is under way, or was the last. */
  route: OpenRoute | undefined
}

/** Undefined: the claim was lost on the way, and another worker has the image. */
async function makeImage(
  engine: Engine,
  image: ClaimedImage,
  making: Making,
): Promise<{ route: string; bytes: number } | undefined> {
  const { signal } = making
  if (image.remainingMs <= 0) {
    throw new ProviderError('transient', 'the deadline has passed')
  }
  if (image.fence > 1 && image.job === undefined && !(await mayPayAgain(engine, image, making.route))) {
    throw new ProviderError('unknown', 'the limit of calls with an unknown outcome is reached')
  }
  const prompt = await finalPrompt(engine, image, signal)
  let turn = toTurn(engine, image)
  let encoded: EncodedImage | undefined
  for (;;) {
    making.route = turn.route
    making.tried.add(turn.route.name)
    try {
      const isFetched = turn.route.provider.takesReferenceUrls !== true
      const hasWaited = image.fence > 1 || image.ageMs > WAITED_MS
      const references = isFetched ? await engine.references.load({ ...image, hasWaited }, signal) : []
      encoded = await attemptImage(engine, image, turn, { prompt, references, signal, deadlineMs: making.deadlineMs })
      break
    } catch (error) {
      const other = await goElsewhere(engine, image, making, error)
      if (other === undefined) {
        throw error
      }
      turn = other
    }
  }
  if (encoded === undefined || !(await publish(engine, image, turn.route, encoded, making))) {
    return undefined
  }
  return { route: turn.route.name, bytes: encoded.bytes.length }
}

function toTurn(engine: Engine, taken: Pick<ClaimedImage, 'route' | 'isProbe' | 'job'>): Turn {
  const route = engine.models.route(taken.route)
  if (route === undefined) {
    throw new ProviderError('credentials', `the route ${taken.route} is not configured here`)
  }
  return { route, isProbe: taken.isProbe, job: taken.job }
}

async function mayPayAgain(engine: Engine, image: ClaimedImage, route: OpenRoute | undefined): Promise<boolean> {
  const isPaid = route?.provider.isPaid ?? false
  const { maybePaid } = await countAttempts(engine.db, image.imageId, { isPaid })
  return maybePaid <= unknownLimit(engine.config, isPaid)
}

/** After a failure: another route of the same model that is free now, if this failure may be another on it. */
async function goElsewhere(
  engine: Engine,
  image: ClaimedImage,
  making: Making,
  error: unknown,
): Promise<Turn | undefined> {
  const routes = engine.models.candidates(image.model, making.tried)
  const isOver = making.signal.aborted || performance.now() > making.deadlineMs
  if (routes.length === 0 || isOver || !(error instanceof ProviderError) || error.isJobAlive) {
    return undefined
  }
  switch (error.failure) {
    case 'moderation':
    case 'bad_reference':
    case 'no_picture':
      return undefined
    case 'unknown':
      if (!(await mayPayAgain(engine, image, making.route))) {
        return undefined
      }
      break
    case 'mistake':
    case 'credentials':
    case 'throttled':
    case 'transient':
      break
  }
  const moved = await changeRoute(engine.db, { imageId: image.imageId, fence: image.fence, routes })
  if (moved === undefined) {
    return undefined
  }
  engine.log.warn(
    { ...idsOf(engine, image), from: making.route?.name, to: moved.route, failure: error.failure, why: error.message },
    'image goes to another route',
  )
  return toTurn(engine, { ...moved, job: undefined })
}

/**
 * Stores the bytes under a name of this claim's own and points the row at them. The picture exists and may have been
 * paid for, so a store or database that is away is waited for as long as the claim holds, up to the image's deadline.
 */
async function publish(
  engine: Engine,
  image: ClaimedImage,
  route: OpenRoute,
  encoded: EncodedImage,
  making: Making,
): Promise<boolean> {
  const extension = encoded.contentType === 'image/png' ? 'png' : 'jpg'
  const objectKey = `images/${image.imageId.slice(3, 5)}/${image.imageId}/${image.fence}.${extension}`
  const log = engine.log.child(engine.tracing.ids(image.requestId))
  const task = { signal: making.signal, endMs: making.deadlineMs, log, imageId: image.imageId }
  const put = { name: 'store.put', subject: image, attributes: { 'wombat.bytes': encoded.bytes.length } } as const
  await engine.tracing.time(put, () =>
    persist(() => engine.store.put(objectKey, encoded.bytes, encoded.contentType), { ...task, what: 'store' }),
  )
  const isReady = await persist(
    () =>
      makeReady(engine.db, {
        imageId: image.imageId,
        fence: image.fence,
        provider: route.provider.name,
        objectKey,
        contentType: encoded.contentType,
        sizeBytes: encoded.bytes.length,
        sha256: encoded.sha256,
      }),
    { ...task, what: 'database' },
  )
  if (!isReady) {
    // The answer to an UPDATE that was repeated after a lost connection is also "no": dueGarbage keeps what a row names.
    await addGarbage(engine.db, objectKey, LOSER_REMOVED_AFTER_SECONDS)
    engine.log.warn({ ...idsOf(engine, image), fence: image.fence }, 'image was finished by another worker')
  }
  return isReady
}
