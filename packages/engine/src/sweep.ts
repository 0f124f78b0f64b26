import type { ErrorCode, ModelId } from '@wombat/contract'
import {
  countRoom,
  dueGarbage,
  findDue,
  findExpiredLeases,
  findOverdue,
  forgetGarbage,
  postponeGarbage,
} from '@wombat/images'
import { failImage } from '@wombat/ledger'
import { countFailure } from './count-failure.ts'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { isDeadProcess } from './process-identity.ts'

export const SWEEP_INTERVAL_MS = 1_000
/** How long an announced image may stay unclaimed before it is announced again. */
const AGAIN_SECONDS = 60
/** In a lane where no job waits, an image that is due for this long has lost its job, or a dead worker holds that. */
const LOST_AFTER_SECONDS = 3
const MOST_AT_ONCE = 200

/**
 * Heals what crashes and lost messages leave behind: images whose holder has gone are queued again, queued images that
 * nobody announced are announced, and images past their deadline fail with a refund. It does no harm to run it twice.
 */
export async function sweepOnce(engine: Engine): Promise<void> {
  await freeLost(engine)
  await failOverdue(engine)
  const { served } = engine.models
  // Another model first each time: on a route that several share, the trial must not always be the same model's.
  const first = Math.floor(Date.now() / SWEEP_INTERVAL_MS) % Math.max(1, served.length)
  const models = [...served.slice(first), ...served.slice(0, first)]
  // Together, so that a queue that hangs holds up the next pass no longer than one call takes.
  const outcomes = await Promise.allSettled(models.map(({ model }) => announceDue(engine, model)))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed !== undefined) {
    throw failed.reason
  }
}

/** Whether a process has died without a word is only seen on its own machine, so others than the leader look as well. */
export async function freeLost(engine: Engine): Promise<void> {
  const freed = await findExpiredLeases(engine.db, isDeadProcess)
  if (freed.length > 0) {
    engine.log.warn({ images: freed.length }, 'images of lost workers were queued again')
  }
}

/**
 * Announces no more than can begin now: who has made an image looks for the next by itself, so a backlog needs no jobs,
 * and while an upstream is away nothing turns in circles.
 */
async function announceDue(engine: Engine, model: ModelId): Promise<void> {
  const room = await countRoom(engine.db, engine.models.candidates(model))
  if (room === 0) {
    return
  }
  const { waiting } = await engine.queue.depth(model)
  const limit = Math.min(MOST_AT_ONCE, room - waiting)
  if (limit <= 0) {
    return
  }
  const isIdle = waiting === 0
  const due = await findDue(engine.db, {
    model,
    limit,
    againSeconds: AGAIN_SECONDS,
    lostAfterSeconds: isIdle ? LOST_AFTER_SECONDS : undefined,
  })
  if (due.length > 0) {
    // Under its old name a job that is stuck would swallow the new one.
    const again = isIdle ? Math.floor(Date.now() / 1000) : undefined
    await engine.queue.announce(
      model,
      due.map(({ imageId, fence }) => ({ imageId, fence, again })),
    )
  }
}

async function failOverdue(engine: Engine): Promise<void> {
  for (const imageId of await findOverdue(engine.db, MOST_AT_ONCE)) {
    const code: ErrorCode = 'generation_deadline'
    const message = 'The image was not made before its deadline.'
    if (await failImage(engine.db, { imageId, fence: undefined, code, message })) {
      await countFailure(engine, imageId, code)
      engine.log.warn({ imageId, code }, 'image failed, credits returned')
    }
  }
}

/** Removes the objects that no row names any more. */
export async function removeGarbage(engine: Engine, signal: AbortSignal): Promise<void> {
  let batch: string[]
  do {
    batch = await dueGarbage(engine.db, MOST_AT_ONCE)
    for (const objectKey of batch) {
      if (signal.aborted) {
        return
      }
      try {
        await engine.store.remove(objectKey)
        await forgetGarbage(engine.db, objectKey)
      } catch (error) {
        engine.log.warn({ objectKey, err: describeError(error) }, 'object could not be removed, trying again later')
        await postponeGarbage(engine.db, objectKey)
      }
    }
  } while (batch.length === MOST_AT_ONCE && !signal.aborted)
}

/** What only has to be gone some day: unfinished files. */
export async function tidyUp(engine: Engine): Promise<void> {
  await engine.store.tidy()
}
