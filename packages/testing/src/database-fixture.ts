import { randomBytes } from 'node:crypto'
import { migrate, type Queryable, withClient } from '@wombat/database'
import { openThrowAwayCluster, type ThrowAwayCluster } from './throw-away-cluster.ts'

export interface TestDatabase {
  readonly url: string
  [Symbol.asyncDispose](): Promise<void>
}

const TEMPLATE = 'wombat_template'
const UNFINISHED_TEMPLATE = 'wombat_template_unfinished'

/** Any number that nothing else locks in the database `wombat` of a test cluster. */
const TEMPLATE_LOCK = 7_411_903

/** A database of its own with all migrations, dropped at the end of the scope with the connections that are left to it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const clusterUrl = process.env.WOMBAT_TEST_POSTGRES_URL ?? (await openOwnCluster()).url
  const name = `test_${randomBytes(8).toString('hex')}`
  await withClient(clusterUrl, async (client) => {
    await ensureTemplate(client, clusterUrl)
    // Twenty times as fast as through the WAL where no disk is waited for.
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE} STRATEGY FILE_COPY`)
  })
  return {
    url: nameDatabase(clusterUrl, name),
    [Symbol.asyncDispose]: async () => {
      await withClient(clusterUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
    },
  }
}

/** The first caller of a run makes the template while the others wait. A name is only given to a template that is whole. */
async function ensureTemplate(client: Queryable, clusterUrl: string): Promise<void> {
  if (await hasDatabase(client, TEMPLATE)) {
    return
  }
  await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK])
  try {
    if (!(await hasDatabase(client, TEMPLATE))) {
      await client.query(`DROP DATABASE IF EXISTS ${UNFINISHED_TEMPLATE} WITH (FORCE)`)
      await client.query(`CREATE DATABASE ${UNFINISHED_TEMPLATE}`)
      await migrate(nameDatabase(clusterUrl, UNFINISHED_TEMPLATE))
      await client.query(`ALTER DATABASE ${UNFINISHED_TEMPLATE} RENAME TO ${TEMPLATE}`)
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK])
  }
}

async function hasDatabase(client: Queryable, name: string): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name])
  return rowCount === 1
}

function nameDatabase(clusterUrl: string, name: string): string {
  const url = new URL(clusterUrl)
  url.pathname = `/${name}`
  return url.href
}

/** For a file that is run without `--test-global-setup`: the cluster of this process, which ends with it. */
let ownCluster: Promise<ThrowAwayCluster> | undefined

function openOwnCluster(): Promise<ThrowAwayCluster> {
  if (ownCluster === undefined) {
    ownCluster = openThrowAwayCluster()
    // Node fires it when nothing is left to do, and waits for what it starts.
    process.once('beforeExit', () => void ownCluster?.then((cluster) => cluster.close()))
  }
  return ownCluster
}
