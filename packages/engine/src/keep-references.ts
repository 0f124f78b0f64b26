import { type ClaimedImage, findWaitingReferences, listRouteStates, releaseReferences as release } from '@wombat/images'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { KEPT_PREFIX } from './reference-archive.ts'

/** Pictures; a bound on what an outage may fill the store with. */
const MOST_KEPT = 500

/**
 * Downloads the references of an image that nothing can be made of now, and keeps them, for their links may be dead when
 * its upstream is back. Never throws: what can't be kept is downloaded then.
 */
export async function keepReferences(engine: Engine, imageId: string, signal: AbortSignal): Promise<void> {
  try {
    const waiting = await findWaitingReferences(engine.db, imageId, KEPT_PREFIX)
    if (waiting === undefined || waiting.isKept || waiting.objectsKept > MOST_KEPT) {
      return
    }
    if (!(await areRoutesAway(engine, waiting.model))) {
      return
    }
    const pictures = await engine.references.load(waiting, signal)
    await engine.archive.keep(waiting.requestId, pictures, waiting.remainingSeconds)
    engine.log.info({ imageId, pictures: pictures.length }, 'references kept until the upstream is back')
  } catch (error) {
    engine.log.warn({ imageId, err: describeError(error) }, 'references could not be kept')
  }
}

/** No route of the model is in use: its images wait for an upstream, and not only for their turn. */
async function areRoutesAway(engine: Engine, model: string): Promise<boolean> {
  const names = new Set(engine.models.candidates(model).map(({ id }) => id))
  const states = (await listRouteStates(engine.db)).filter(({ route }) => names.has(route))
  return states.length === names.size && states.every(({ state }) => state !== 'closed')
}

/** After an image is ready: nobody needs what was kept for its request, unless another image of it still waits. */
export async function releaseReferences(
  engine: Engine,
  image: Pick<ClaimedImage, 'imageId' | 'requestId' | 'referenceImages'>,
): Promise<void> {
  if (image.referenceImages.length === 0) {
    return
  }
  try {
    await release(engine.db, image.requestId)
  } catch (error) {
    // They go by themselves when the deadline is over.
    engine.log.warn({ imageId: image.imageId, err: describeError(error) }, 'references could not be released')
  }
}
