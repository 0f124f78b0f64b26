import type { LaneWorker } from '@wombat/queue'
import type { Engine } from './engine.ts'
import { keepReferences } from './keep-references.ts'
import { describeError } from './logger.ts'
import { startLookAround } from './look-around.ts'
import { produceNext } from './produce.ts'

/** More handlers than this in one process gain nothing: each holds pictures in memory. */
const MOST_HANDLERS = 64

/**
 * Works on the lanes of all models. A job says only that there is work; which image is next is decided in the database.
 * Who has made one looks for another, so that a long backlog needs few jobs.
 */
export async function startWorker(engine: Engine): Promise<{ stop(options: { graceMs: number }): Promise<void> }> {
  const lanes = engine.models.served.map(({ model, routes }) => ({
    model,
    concurrency: Math.min(
      MOST_HANDLERS,
      routes.reduce((sum, route) => sum + route.concurrency, 0),
    ),
  }))
  const workers: LaneWorker[] = await Promise.all(
    lanes.map(({ model, concurrency }) =>
      engine.queue.work(model, {
        concurrency,
        handler: async (imageId, signal) => {
          try {
            while (!engine.isStopping && !signal.aborted && (await produceNext(engine, { model }, signal))) {
              // Until nothing is due, or no route is free.
            }
            if (!engine.isStopping && !signal.aborted) {
              await keepReferences(engine, imageId, signal)
            }
          } catch (error) {
            // An image that was claimed keeps its state; the sweep finds it when its lease has run out.
            engine.log.error({ model, err: describeError(error) }, 'job failed, the sweep will take its image up')
          }
        },
      }),
    ),
  )
  const lookAround = startLookAround(engine, lanes)
  return {
    async stop(options) {
      await Promise.all([...workers, lookAround].map((part) => part.stop(options)))
    },
  }
}
