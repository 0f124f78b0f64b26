import { tmpdir } from 'node:os'
import path from 'node:path'
import { openThrowAwayCluster, type ThrowAwayCluster } from './throw-away-cluster.ts'

/** What the two functions below share: Node calls them in the same process, the runner's, at its start and end. */
let cluster: ThrowAwayCluster | undefined

/** For `node --test --test-global-setup`: one PostgreSQL for the whole run. Test processes inherit the environment. */
export async function globalSetup(): Promise<void> {
  cluster = await openThrowAwayCluster()
  process.env.WOMBAT_TEST_POSTGRES_URL = cluster.url
  process.env.WOMBAT_TEST_DIRECTORY = cluster.directory
  // Each test file is a process of its own: they need not all compile the same modules.
  process.env.NODE_COMPILE_CACHE ??= path.join(tmpdir(), 'wombat-test-compile-cache')
}

/** Node calls it after failures as well, and after SIGINT and SIGTERM. */
export async function globalTeardown(): Promise<void> {
  await cluster?.close()
}
