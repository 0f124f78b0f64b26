import type { BullmqBackend, OnError } from './bullmq-backend.ts'
import { JOB_OPTIONS } from './bullmq-queue.ts'
import type { Bullmq } from './postgres-backend.ts'
import { isConnected, type RedisClients } from './redis-clients.ts'
import { within } from './within.ts'

/** Nothing reads BullMQ's event stream, so it is kept short. */
const EVENTS_KEPT = 100
const READY_MS = 5_000

/** BullMQ on Redis: one connection for all producers, and two for each lane that is worked here. */
export function redisBackend(options: {
  bullmq: Bullmq
  clients: RedisClients
  prefix: string
  onError: OnError
}): BullmqBackend {
  const { bullmq, clients, prefix, onError } = options
  // Its own check of the version writes to the terminal: `examineRedis` says it better.
  const common = { prefix, skipVersionCheck: true }
  return {
    description: `BullMQ on Redis at ${clients.where}`,

    async openProducer(lane) {
      // BullMQ would wait for the connection for as long as it takes.
      if (!isConnected(clients.impatient)) {
        await clients.check()
      }
      const queue = new bullmq.Queue<string>(lane, {
        ...common,
        connection: clients.impatient,
        defaultJobOptions: JOB_OPTIONS,
        streams: { events: { maxLen: EVENTS_KEPT } },
      })
      queue.on('error', (error) => onError(error, `queue ${lane}: producer`))
      return await ready(queue)
    },

    async openWorker(lane, processor, settings) {
      const worker = new bullmq.Worker<string, void>(lane, processor, {
        ...settings,
        ...common,
        connection: clients.patient,
      })
      worker.on('error', (error) => onError(error, `queue ${lane}: worker`))
      worker.on('failed', (_job, error) => onError(error, `queue ${lane}: failed`))
      worker.on('stalled', (jobId) => onError(new Error(`job ${jobId} stalled`), `queue ${lane}: stalled`))
      return await ready(worker)
    },

    check: () => clients.check(),

    async close() {
      clients.close()
    },
  }
}

async function ready<T extends { waitUntilReady(): Promise<unknown>; close(): Promise<void> }>(opened: T): Promise<T> {
  const waiting = opened.waitUntilReady()
  if (!(await within(READY_MS, waiting))) {
    void opened.close()
    throw new Error(`Redis did not answer within ${READY_MS} ms`)
  }
  try {
    await waiting
    return opened
  } catch (error) {
    await opened.close()
    throw error
  }
}
