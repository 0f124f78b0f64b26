import { chmod, lstat, mkdtemp, readdir, realpath, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { joinEmbeddedPostgres } from '@wombat/embedded'

export interface ThrowAwayCluster {
  readonly url: string
  /** For other things that are as short-lived; it goes with the cluster. */
  readonly directory: string
  /** Stops it and removes all that it had. */
  close(): Promise<void>
}

/** The directory's name has the pid of its owner, so that what a killed run leaves is found and removed by a later one. */
const NAME = /^wombat-test-postgres-(\d+)-/

const MEMORY_DIR = '/dev/shm'
const MIN_FREE_BYTES = 2_000_000_000

const REMOVE = { recursive: true, force: true, maxRetries: 5 }

/** A PostgreSQL that keeps nothing and waits for no disk. */
export async function openThrowAwayCluster(): Promise<ThrowAwayCluster> {
  const parent = await chooseParent()
  await removeAbandoned(parent)
  const dataDir = await mkdtemp(path.join(parent, `wombat-test-postgres-${process.pid}-`))
  try {
    // As root the server runs as another user, who has to pass through here.
    await chmod(dataDir, 0o711)
    const cluster = await joinEmbeddedPostgres({ dataDir, purpose: 'test', durable: false })
    return {
      url: cluster.url,
      directory: dataDir,
      close: async () => {
        await cluster.leave()
        await rm(dataDir, REMOVE)
      },
    }
  } catch (error) {
    await rm(dataDir, REMOVE)
    throw error
  }
}

/** Linux's directory in memory, where it has room: a new database takes 15 ms there and 200 ms on a disk. */
async function chooseParent(): Promise<string> {
  const memory = await statfs(MEMORY_DIR).catch(() => undefined)
  return memory !== undefined && memory.bavail * memory.bsize >= MIN_FREE_BYTES ? MEMORY_DIR : await realpath(tmpdir())
}

async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(NAME.exec(name)?.[1])
    if (pid > 0 && !isRunning(pid)) {
      await removeCluster(path.join(parent, name))
    }
  }
}

/** Whoever joins last stops the server: so join, and leave. Another run may be doing the same. */
async function removeCluster(dataDir: string): Promise<void> {
  const pidFile = await lstat(path.join(dataDir, 'postgres', 'postmaster.pid')).catch(() => undefined)
  if (pidFile !== undefined) {
    const cluster = await joinEmbeddedPostgres({ dataDir, purpose: 'remove', durable: false }).catch(() => undefined)
    await cluster?.leave()
  }
  await rm(dataDir, REMOVE).catch(() => {})
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // EPERM: it runs, and is somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
