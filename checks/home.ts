import { existsSync } from 'node:fs'
import path from 'node:path'
import { createQuickDirectory, createTestDatabase, openDistributedParts } from '@wombat/testing'
import { query } from './query.ts'

/** Where a server lives, and what can be seen there behind its back. */
export interface Home {
  readonly databaseUrl: string
  readonly dataDir: string
  /** The settings of its queue and its store; none when they are in the database and the data directory. */
  readonly parts: Readonly<Record<string, string>>
  /** Whether the store has an object. */
  holds(objectKey: string): Promise<boolean>
  /** The queue forgets all its jobs. */
  loseJobs(): Promise<void>
}

export interface OwnedHome extends Home, AsyncDisposable {
  /** The same, which the caller closes from now on. */
  move(): OwnedHome
}

/** True in the second run of the suites, of which distributed/ knows: every queue is on Redis then, every store on S3. */
export const isDistributed = process.env.WOMBAT_TEST_PARTS === 'redis-s3'

/** A home of one's own; its database is spared the queue's schema when the settings name a Redis. */
export async function openHome(env: Readonly<Record<string, string>> = {}): Promise<OwnedHome> {
  await using stack = new AsyncDisposableStack()
  const hasQueue = !isDistributed && env.REDIS_URL === undefined
  const { url: databaseUrl } = stack.use(await createTestDatabase({ hasQueue }))
  const { path: dataDir } = stack.use(await createQuickDirectory())
  const inside = {
    databaseUrl,
    dataDir,
    parts: {},
    holds: async (objectKey: string) => existsSync(path.join(dataDir, 'blobs', objectKey)),
    loseJobs: async () => void (await query(databaseUrl, 'DELETE FROM bullmq.job')),
  }
  if (!isDistributed) {
    return own(inside, stack.move())
  }
  const { env: parts, holds, loseJobs } = stack.use(await openDistributedParts())
  return own({ databaseUrl, dataDir, parts, holds, loseJobs }, stack.move())
}

/** Another server's home. */
export function shareHome({ databaseUrl, dataDir, parts, holds, loseJobs }: Home): OwnedHome {
  return own({ databaseUrl, dataDir, parts, holds, loseJobs }, new AsyncDisposableStack())
}

function own(home: Home, stack: AsyncDisposableStack): OwnedHome {
  return {
    ...home,
    move: () => own(home, stack.move()),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
