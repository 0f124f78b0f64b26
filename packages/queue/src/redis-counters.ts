import { openRedisClients } from './redis-clients.ts'
import { REDIS_PREFIX } from './redis-queue.ts'

/** Counters that several processes share, each for a while from its first count on. */
export interface RedisCounters {
  /** Adds to each, at once and in one round trip. Throws when Redis is away or does not answer in time. */
  add(counts: readonly { name: string; by: number }[], windowMs: number): Promise<{ count: number; resetMs: number }[]>
  close(): Promise<void>
}

const COMMAND_TIMEOUT_MS = 1_000

const ADD = `
local answer = {}
for i, key in ipairs(KEYS) do
  answer[2 * i - 1] = redis.call('INCRBY', key, ARGV[i + 1])
  local ttl = redis.call('PTTL', key)
  if ttl < 0 then
    redis.call('PEXPIRE', key, ARGV[1])
    ttl = tonumber(ARGV[1])
  end
  answer[2 * i] = ttl
end
return answer`

export async function openRedisCounters(options: {
  url: string
  onError: (error: Error) => void
  prefix?: string
}): Promise<RedisCounters> {
  const { url, onError, prefix = REDIS_PREFIX } = options
  const clients = await openRedisClients(url, {
    name: 'wombat-counters',
    onError,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
  })
  return {
    async add(counts, windowMs) {
      const keys = counts.map(({ name }) => `${prefix}:count:${name}`)
      const answer: unknown = await clients.impatient.eval(
        ADD,
        keys.length,
        ...keys,
        windowMs,
        ...counts.map(({ by }) => by),
      )
      const numbers = Array.isArray(answer) ? answer.map(Number) : []
      return counts.map((_, index) => ({ count: numbers[2 * index] ?? 0, resetMs: numbers[2 * index + 1] ?? windowMs }))
    },
    async close() {
      clients.close()
    },
  }
}
