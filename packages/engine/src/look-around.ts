import { setTimeout as sleep } from 'node:timers/promises'
import type { ModelId } from '@wombat/contract'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { produceNext } from './produce.ts'
import { repeat } from './repeat.ts'

const LOOK_EVERY_MS = 1_000
/** Each so many looks one is had although the queue answers: a worker may be deaf after a reconnection. */
const LOOKS_A_ROUND = 10
/** Who is still at it after this long has found an image, so a second one may look as well. */
const CLAIMED_MS = 50
/** After the grace, for images to be handed back. */
const OBEY_MS = 600

/**
 * Makes images without being called, so that nothing waits for a queue that is away. The database decides as ever
 * what is due and which route is free, so this and the queue's jobs can't do anything twice.
 */
export function startLookAround(
  engine: Engine,
  lanes: readonly { model: ModelId; concurrency: number }[],
): { stop(options: { graceMs: number }): Promise<void> } {
  const ending = new AbortController()
  const running = new Map<ModelId, Set<Promise<boolean>>>(lanes.map(({ model }) => [model, new Set()]))
  let looks = 0
  let wasAway = false

  async function look() {
    looks += 1
    const isAway = await engine.queue.check().then(
      () => false,
      () => true,
    )
    if (isAway !== wasAway) {
      wasAway = isAway
      const message = isAway ? 'the queue is away, workers look for images themselves' : 'the queue is back'
      engine.log.warn({ queue: engine.queue.description }, message)
    }
    if (isAway || looks % LOOKS_A_ROUND === 0) {
      await Promise.all(lanes.map(fill))
    }
  }

  async function fill({ model, concurrency }: { model: ModelId; concurrency: number }) {
    const atWork = running.get(model) ?? new Set()
    while (!engine.isStopping && atWork.size < concurrency) {
      const making = makeAll(model)
      atWork.add(making)
      void making.finally(() => atWork.delete(making))
      if (!(await Promise.race([making, sleep(CLAIMED_MS, true)]))) {
        return
      }
    }
  }

  /** False: nothing was due, or no route was free. */
  async function makeAll(model: ModelId): Promise<boolean> {
    let hasMade = false
    try {
      while (!engine.isStopping && (await produceNext(engine, { model }, ending.signal))) {
        hasMade = true
      }
    } catch (error) {
      // An image that was claimed keeps its state; the sweep finds it when its lease has run out.
      engine.log.error({ model, err: describeError(error) }, 'job failed, the sweep will take its image up')
      return false
    }
    return hasMade
  }

  const looking = repeat(look, { everyMs: LOOK_EVERY_MS, name: 'look around', log: engine.log })
  return {
    async stop({ graceMs }) {
      await looking.stop()
      const ended = Promise.all([...running.values()].flatMap((atWork) => [...atWork]))
      await Promise.race([ended, sleep(graceMs)])
      ending.abort(new Error('the worker is stopping'))
      await Promise.race([ended, sleep(OBEY_MS)])
    },
  }
}
