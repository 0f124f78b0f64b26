import { startRedis, type TestRedis } from './redis-fixture.ts'
import { type S3Server, startS3 } from './s3.ts'

/** A queue on Redis and a store on S3 that nobody else uses. */
export interface DistributedParts extends AsyncDisposable {
  /** The settings that open them. */
  readonly env: Readonly<Record<string, string>>
  /** Whether the store has an object, asked of S3 itself. */
  holds(key: string): Promise<boolean>
  /** Redis forgets all that it was told. */
  loseJobs(): Promise<void>
}

/** One Redis and one S3 server a process, as long as somebody uses them: each user has a database and a prefix there. */
let shared: { readonly servers: Promise<{ redis: TestRedis; s3: S3Server }>; users: number } | undefined
let opened = 0

const DATABASES = 10_000

export async function openDistributedParts(): Promise<DistributedParts> {
  shared ??= { servers: startServers(), users: 0 }
  const current = shared
  current.users += 1
  opened += 1
  // 0 is the one that is taken by mistake.
  const database = opened
  const prefix = `home-${database}`
  const { redis, s3 } = await current.servers
  return {
    env: { ...s3.env, REDIS_URL: `${redis.url}/${database}`, S3_PREFIX: prefix },
    async holds(key) {
      const { ok, status } = await fetch(`${s3.endpoint}/${s3.bucket}/${prefix}/${key}`, { method: 'HEAD' })
      if (!ok && status !== 404) {
        throw new Error(`S3 answered ${status}`)
      }
      return ok
    },
    loseJobs: () => redis.flush(database),
    async [Symbol.asyncDispose]() {
      current.users -= 1
      if (current.users > 0) {
        await redis.flush(database)
        return
      }
      if (shared === current) {
        shared = undefined
      }
      await s3[Symbol.asyncDispose]()
      await redis[Symbol.asyncDispose]()
    },
  }
}

async function startServers() {
  const [redis, s3] = await Promise.all([startRedis({ args: ['--databases', String(DATABASES)] }), startS3()])
  return { redis, s3 }
}
