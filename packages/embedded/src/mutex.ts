import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 20

/** SQLite's code for "another connection has the lock". */
const SQLITE_BUSY = 5

/**
 * One holder at a time among all processes that name this file; waits for its turn. The lock is one of the kernel's,
 * which ends with its holder, kill -9 included: there is no stale lock to break, so nobody can break a living one.
 * Node offers such locks through SQLite alone. The file stays empty, and must not be removed while anyone waits.
 */
export async function acquireMutex(path: string, options: { timeoutMs: number }): Promise<Disposable> {
  const deadline = performance.now() + options.timeoutMs
  const db = open(path)
  try {
    while (!tryLock(db, path)) {
      if (performance.now() > deadline) {
        throw new Error(
          `Another process has held ${path} for ${options.timeoutMs / 1000} s: it starts or stops PostgreSQL there, or hangs.`,
        )
      }
      await sleep(POLL_MS)
    }
  } catch (error) {
    db.close()
    throw error
  }
  return {
    [Symbol.dispose]: () => db.close(),
  }
}

function open(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw unusable(path, error)
  }
}

function tryLock(db: DatabaseSync, path: string): boolean {
  try {
    db.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) {
      return false
    }
    throw unusable(path, error)
  }
}

function unusable(path: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Error(`${path} cannot be locked (${reason}): does its directory belong to another user?`, { cause })
}
