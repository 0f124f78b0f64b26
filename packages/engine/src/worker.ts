import type { LaneWorker } from '@wombat/queue'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { produceImage } from './produce.ts'

/** Works on the lanes of all providers of this process. */
export async function startWorker(engine: Engine): Promise<{ stop(options: { graceMs: number }): Promise<void> }> {
  const workers: LaneWorker[] = await Promise.all(
    engine.models.providers.map((provider) =>
      engine.queue.work(provider.name, {
        concurrency: 8,
        handler: async (imageId, signal) => {
          try {
            await produceImage(engine, imageId, signal)
          } catch (error) {
            // The image keeps its state; the sweep finds it when its lease has run out.
            engine.log.error({ imageId, err: describeError(error) }, 'job failed, the sweep will take it up')
          }
        },
      }),
    ),
  )
  return {
    async stop(options) {
      await Promise.all(workers.map((worker) => worker.stop(options)))
    },
  }
}
