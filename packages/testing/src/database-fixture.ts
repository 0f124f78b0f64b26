import { randomBytes } from 'node:crypto'
import { migrate, type Queryable, withClient } from '@wombat/database'
import { migrateQueue } from '@wombat/queue'
import { openThrowAwayCluster, type ThrowAwayCluster } from './throw-away-cluster.ts'

export interface TestDatabase {
  readonly url: string
  [Symbol.asyncDispose](): Promise<void>
}

const TEMPLATE = 'wombat_template'
const TEMPLATE_WITH_QUEUE = 'wombat_template_with_queue'

/** Any number that nothing else locks in the database `wombat` of a test cluster. */
const TEMPLATE_LOCK = 7_411_903

/**
 * A database of its own with all migrations, dropped at the end of the scope with the connections that are left to it.
 * The queue's schema takes a server longer to make than all the rest of its start.
 */
export async function createTestDatabase({ hasQueue = false } = {}): Promise<TestDatabase> {
  const clusterUrl = process.env.WOMBAT_TEST_POSTGRES_URL ?? (await openOwnCluster()).url
  const name = `test_${randomBytes(8).toString('hex')}`
  await withClient(clusterUrl, async (client) => {
    const cluster = { client, url: clusterUrl }
    await ensureTemplate(cluster, TEMPLATE, { from: undefined, fill: migrate })
    if (hasQueue) {
      await ensureTemplate(cluster, TEMPLATE_WITH_QUEUE, { from: TEMPLATE, fill: migrateQueue })
    }
    await createDatabase(client, name, hasQueue ? TEMPLATE_WITH_QUEUE : TEMPLATE)
  })
  return {
    url: nameDatabase(clusterUrl, name),
    [Symbol.asyncDispose]: async () => {
      await withClient(clusterUrl, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
    },
  }
}

/** The first caller of a run makes the template while the others wait. A name is only given to a template that is whole. */
async function ensureTemplate(
  { client, url }: { client: Queryable; url: string },
  name: string,
  { from, fill }: { from: string | undefined; fill: (url: string) => Promise<unknown> },
): Promise<void> {
  if (await hasDatabase(client, name)) {
    return
  }
  const unfinished = `${name}_unfinished`
  await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK])
  try {
    if (!(await hasDatabase(client, name))) {
      await client.query(`DROP DATABASE IF EXISTS ${unfinished} WITH (FORCE)`)
      await createDatabase(client, unfinished, from)
      await fill(nameDatabase(url, unfinished))
      await client.query(`ALTER DATABASE ${unfinished} RENAME TO ${name}`)
    }
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK])
  }
}

/** Copied as files it takes a twentieth of what it takes through the WAL, where no disk is waited for. */
async function createDatabase(client: Queryable, name: string, template: string | undefined): Promise<void> {
  await client.query(
    template === undefined
      ? `CREATE DATABASE ${name}`
      : `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`,
  )
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
