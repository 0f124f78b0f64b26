import { messageOf } from './errors.ts'
import type { Settings } from './settings.ts'

interface QueueFinding {
  readonly what: 'queue'
  readonly outcome: 'ok' | 'warning' | 'failure'
  readonly detail: string
  readonly remedy?: string
}

/** Nothing where there is no REDIS_URL: the queue is then looked at with the database. */
export async function checkRedis({ config }: Settings): Promise<QueueFinding[]> {
  const what = 'queue'
  const { examineQueue } = await import('@wombat/engine')
  try {
    const redis = await examineQueue(config)
    if (redis === undefined) {
      return []
    }
    const detail = `BullMQ on Redis at ${redis.where} (version ${redis.version})`
    return redis.warnings.length === 0
      ? [{ what, outcome: 'ok', detail }]
      : redis.warnings.map(({ fault, remedy }) => ({ what, outcome: 'warning', detail: fault, remedy }))
  } catch (error) {
    const remedy = 'check REDIS_URL, and that the server runs'
    return [{ what, outcome: 'failure', detail: messageOf(error), remedy }]
  }
}
