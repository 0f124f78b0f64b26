import type { BullmqBackend, OnError, WakeupProcessor, WorkerSettings } from './bullmq-backend.ts'
import type { LaneWorker, WakeupHandler } from './job-queue.ts'
import { RunningHandlers } from './running-handlers.ts'
import { within } from './within.ts'

/**
 * A killed worker's job is taken up again after its lock and two passes of the stalled check: 15 to 25 s. A job may
 * stall as often as it likes, since only the sweep decides that an image has failed.
 */
const SETTINGS: WorkerSettings = {
  autorun: false,
  lockDuration: 15_000,
  stalledInterval: 5_000,
  maxStalledCount: 1_000_000,
  drainDelay: 10,
  runRetryDelay: 1_000,
}

/** After the grace: for handlers to obey their signal, then for BullMQ to end the jobs of those that did not. */
const OBEY_MS = 600
const FINISH_MS = 300

interface LaneWorkerOptions {
  lane: string
  backend: BullmqBackend
  concurrency: number
  handler: WakeupHandler
  onError: OnError
}

/** Resolves when the lane is being worked; throws when the queue can't be reached. */
export async function startLaneWorker(options: LaneWorkerOptions): Promise<LaneWorker> {
  const { lane, backend, concurrency, handler, onError } = options
  const running = new RunningHandlers(handler, (error) => onError(error, `queue ${lane}: handler`))
  let isStopping = false

  const processor: WakeupProcessor = async (job, token) => {
    // BullMQ may still take one job while it closes: another worker shall have it.
    if (isStopping) {
      await job.moveToWait(token)
      throw new HandedBackError()
    }
    await running.run(job.data)
  }

  const worker = await backend.openWorker(lane, processor, { ...SETTINGS, concurrency })
  const ended = worker.run().catch((error: unknown) => onError(error, `queue ${lane}: worker`))

  return {
    async stop({ graceMs }) {
      isStopping = true
      const closed = Promise.all([worker.close(), ended]).catch((error: unknown) =>
        onError(error, `queue ${lane}: close`),
      )
      if (await within(graceMs, closed)) {
        return
      }
      running.abort(new Error('the worker is stopping'))
      if (await within(OBEY_MS, closed)) {
        return
      }
      running.abandon()
      await within(FINISH_MS, closed)
    },
  }
}

/** BullMQ knows by this name that the job is waiting again and must not be ended. */
class HandedBackError extends Error {
  override readonly name = 'WaitingError'
}
