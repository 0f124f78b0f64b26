import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { findNativePackage } from './binaries.ts'
import { copyTree, syncDirectory } from './copy-files.ts'
import { acquireMutex } from './mutex.ts'
import { chooseServerUser } from './server-user.ts'

export interface RestoreOptions {
  /** What copyRunningCluster has made. It stays as it is. */
  readonly from: string
  readonly dataDir: string
  readonly stop: AbortSignal
  readonly onBytes: (bytes: number) => void
}

const UNFINISHED_PREFIX = 'postgres.restore-'
const MUTEX_TIMEOUT_MS = 10_000

/** Puts a copy of a cluster into a data directory that has none: all of it or, when it is broken off, nothing. */
export async function restoreCluster({ from, stop, onBytes, ...options }: RestoreOptions): Promise<void> {
  await mkdir(options.dataDir, { recursive: true })
  const dataDir = await realpath(options.dataDir)
  const clusterDir = path.join(dataDir, 'postgres')
  using _mutex = await acquireMutex(path.join(dataDir, 'postgres.lock'), { timeoutMs: MUTEX_TIMEOUT_MS })
  if ((await stat(clusterDir).catch(() => undefined)) !== undefined) {
    throw new Error(`${clusterDir} is there already.`)
  }
  await assertMajor(from)
  const user = await chooseServerUser(clusterDir)
  await removeUnfinished(dataDir)
  const unfinished = path.join(dataDir, `${UNFINISHED_PREFIX}${randomBytes(4).toString('hex')}`)
  try {
    await copyTree({ from, to: unfinished, owner: user.isOther ? user : undefined, stop, onBytes })
    await rename(unfinished, clusterDir)
    await syncDirectory(dataDir)
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw error
  }
}

/** What was killed has left the room of a whole database, and its secrets. */
async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith(UNFINISHED_PREFIX)) {
      await rm(path.join(dataDir, name), { recursive: true, force: true })
    }
  }
}

async function assertMajor(from: string): Promise<void> {
  const major = (await readFile(path.join(from, 'PG_VERSION'), 'utf8')).trim()
  const { version } = await findNativePackage()
  if (major !== version.split('.')[0]) {
    throw new Error(
      `${from} was made by PostgreSQL ${major}, and this version of Wombat brings PostgreSQL ${version.split('.')[0]}: restore it with the version of Wombat that made it.`,
    )
  }
}
