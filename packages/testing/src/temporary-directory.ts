import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface TemporaryDirectory {
  readonly path: string
  [Symbol.asyncDispose](): Promise<void>
}

/** A new empty directory, which is removed with what is in it at the end of the scope. */
export async function createTemporaryDirectory(parent = tmpdir()): Promise<TemporaryDirectory> {
  const directory = await realpath(await mkdtemp(path.join(parent, 'wombat-test-')))
  // As root an embedded PostgreSQL in here runs as another user, who has to pass through.
  await chmod(directory, 0o711)
  return {
    path: directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** The same beside the run's PostgreSQL, mostly in memory: for what is synced to the disk. No program can be kept there. */
export function createQuickDirectory(): Promise<TemporaryDirectory> {
  return createTemporaryDirectory(process.env.WOMBAT_TEST_DIRECTORY)
}
