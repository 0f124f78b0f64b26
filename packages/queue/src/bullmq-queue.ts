import assert from 'node:assert/strict'
import type { BullmqBackend, BullmqJob, BullmqProducer, OnError } from './bullmq-backend.ts'
import { gather } from './gather.ts'
import type { JobQueue, LaneWorker, Wakeup, WakeupHandler } from './job-queue.ts'
import { startLaneWorker } from './lane-worker.ts'
import { within } from './within.ts'

/** The same for every job: our rows decide when to try again, and a job that ended leaves nothing behind. */
export const JOB_OPTIONS = { attempts: 1, removeOnComplete: true, removeOnFail: true }

/** How long a closing queue waits for announcements under way. */
const ANNOUNCED_MS = 1_000
const GATHER_LIMITS = { batch: 500, waiting: 100_000 }

interface Lane {
  readonly producer: Promise<BullmqProducer>
  readonly add: (jobs: readonly BullmqJob[]) => Promise<void>
}

/** The job queue over BullMQ; the backend says where its jobs live. */
export class BullmqQueue implements JobQueue {
  readonly description: string
  readonly #backend: BullmqBackend
  readonly #onError: OnError
  readonly #lanes = new Map<string, Lane>()
  readonly #workers = new Set<LaneWorker>()
  #closing: Promise<void> | undefined

  constructor(backend: BullmqBackend, onError: OnError) {
    this.description = backend.description
    this.#backend = backend
    this.#onError = onError
  }

  async announce(lane: string, wakeups: readonly Wakeup[]): Promise<void> {
    if (wakeups.length > 0) {
      await this.#lane(lane).add(wakeups.map(jobOf))
    }
  }

  async work(lane: string, options: { concurrency: number; handler: WakeupHandler }): Promise<LaneWorker> {
    this.#assertOpen()
    const worker = await startLaneWorker({ ...options, lane, backend: this.#backend, onError: this.#onError })
    const stoppable: LaneWorker = {
      stop: async (stopOptions) => {
        await worker.stop(stopOptions)
        this.#workers.delete(stoppable)
      },
    }
    this.#workers.add(stoppable)
    if (this.#closing !== undefined) {
      await stoppable.stop({ graceMs: 0 })
    }
    this.#assertOpen()
    return stoppable
  }

  async depth(lane: string): Promise<{ waiting: number; active: number }> {
    const producer = await this.#lane(lane).producer
    const { waiting = 0, active = 0 } = await producer.getJobCounts('waiting', 'active')
    return { waiting, active }
  }

  async check(): Promise<void> {
    this.#assertOpen()
    await this.#backend.check()
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  async #closeAll(): Promise<void> {
    const announced = Promise.allSettled([...this.#lanes.values()].map(({ add }) => add([])))
    const stopped = [...this.#workers].map((worker) => worker.stop({ graceMs: 0 }))
    await Promise.all([within(ANNOUNCED_MS, announced), ...stopped])
    await this.#backend.close()
  }

  #lane(name: string): Lane {
    this.#assertOpen()
    const known = this.#lanes.get(name)
    if (known !== undefined) {
      return known
    }
    const lane = openLane(this.#backend, name)
    this.#lanes.set(name, lane)
    lane.producer.catch(() => {
      // Whoever waits for this producer has the error; the next caller gets a new one.
      this.#lanes.delete(name)
    })
    return lane
  }

  #assertOpen() {
    if (this.#closing !== undefined) {
      throw new Error('the job queue is closed')
    }
  }
}

function openLane(backend: BullmqBackend, name: string): Lane {
  const producer = backend.openProducer(name)
  const add = async (jobs: readonly BullmqJob[]) => {
    if (jobs.length > 0) {
      await (await producer).addBulk([...jobs])
    }
  }
  return { producer, add: gather(add, GATHER_LIMITS) }
}

/**
 * The image's id is all that a job tells, since whoever reads the queue reads its data. BullMQ drops an id that it
 * still holds, hence the fence, and refuses colons: that is found here, before it spoils a batch.
 */
function jobOf({ imageId, fence, again }: Wakeup): BullmqJob {
  assert(!imageId.includes(':'), 'the id of an image has no colon')
  const name = `${imageId}-${fence}`
  return { name: 'wake-up', data: imageId, opts: { jobId: again === undefined ? name : `${name}-${again}` } }
}
