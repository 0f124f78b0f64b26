import type { OnError } from './bullmq-backend.ts'
import { BullmqQueue } from './bullmq-queue.ts'
import type { JobQueue } from './job-queue.ts'
import { redisBackend } from './redis-backend.ts'
import { openRedisClients } from './redis-clients.ts'

/** In braces: a cluster then keeps all keys of the queue on one node, as its scripts need it. */
export const REDIS_PREFIX = '{wombat}'

/** While Redis is away each connection says so again and again: the same words are passed on once in this time. */
const SAME_AGAIN_MS = 10_000
const MOST_KINDS = 1_000

/** Opens the queue on a Redis, and throws with the reason when that can't be reached within five seconds. */
export async function openRedisQueue(options: { url: string; onError: OnError; prefix?: string }): Promise<JobQueue> {
  const { url, prefix = REDIS_PREFIX } = options
  const onError = seldom(options.onError)
  const [bullmq, clients] = await Promise.all([
    import('bullmq'),
    openRedisClients(url, { name: 'wombat-queue', onError: (error) => onError(error, 'queue: connection') }),
  ])
  return new BullmqQueue(redisBackend({ bullmq, clients, prefix, onError }), onError)
}

function seldom(report: OnError): OnError {
  const lastMs = new Map<string, number>()
  return (error, where) => {
    const kind = `${where} ${String(error)}`
    const now = performance.now()
    if (now - (lastMs.get(kind) ?? Number.NEGATIVE_INFINITY) >= SAME_AGAIN_MS) {
      if (lastMs.size >= MOST_KINDS) {
        lastMs.clear()
      }
      lastMs.set(kind, now)
      report(error, where)
    }
  }
}
