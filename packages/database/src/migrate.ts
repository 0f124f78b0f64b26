import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const PRISMA_DIR = fileURLToPath(new URL('../../../prisma', import.meta.url))

/** The oldest major version with all that the statements of Wombat use. */
export const NEEDED_POSTGRES = 14

/** Any fixed number that only Wombat's migrations use. */
const ADVISORY_LOCK = 0x776f6d62

interface Migration {
  readonly name: string
  readonly sql: string
}

/**
 * Applies what prisma/migrations holds and the database lacks, in order, and records it as Prisma does, so that
 * `prisma migrate deploy` stays interchangeable with it. Processes that start together take turns. `then` runs under
 * the same lock, for what else must happen once. Answers the names of what was applied.
 */
export async function migrate(url: string, then?: () => Promise<void>): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'wombat migrate' })
  client.on('error', () => {})
  await client.connect()
  try {
    await assertVersion(client)
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK])
    const pending = await findPending(client)
    for (const migration of pending) {
      await apply(client, migration)
    }
    await then?.()
    return pending.map(({ name }) => name)
  } finally {
    // The end of the session gives the lock back.
    await client.end().catch(() => {})
  }
}

/** Before anything is changed: an older one would break off somewhere in the middle, with an error that names no cause. */
async function assertVersion(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num')
  const major = Math.floor(Number(rows[0]?.server_version_num) / 10_000)
  if (major < NEEDED_POSTGRES) {
    throw new Error(`The database is PostgreSQL ${major}, and Wombat needs ${NEEDED_POSTGRES} or newer.`)
  }
}

/** The names of the migrations that the database lacks; throws when it has one that this version doesn't know. */
export async function pendingMigrations(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'wombat migrate' })
  await client.connect()
  try {
    return (await findPending(client)).map(({ name }) => name)
  } finally {
    await client.end()
  }
}

async function findPending(client: pg.Client): Promise<Migration[]> {
  const ours = readMigrations()
  const { rows: tables } = await client.query<{ found: boolean }>(
    `SELECT to_regclass('public._prisma_migrations') IS NOT NULL AS found`,
  )
  if (tables[0]?.found !== true) {
    return ours
  }
  const { rows } = await client.query<{ migration_name: string; checksum: string; is_finished: boolean }>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS is_finished
     FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
  )
  for (const row of rows) {
    const mine = ours.find(({ name }) => name === row.migration_name)
    if (mine === undefined) {
      throw new Error(
        `The database has the migration ${row.migration_name}, which this version of Wombat doesn't know: it was used by a newer one. Start that one, or use another DATABASE_URL or DATA_DIR.`,
      )
    }
    if (!row.is_finished) {
      throw new Error(
        `The migration ${row.migration_name} began on this database and did not end. See https://pris.ly/d/migrate-resolve, or restore the backup.`,
      )
    }
    if (row.checksum !== checksumOf(mine.sql)) {
      throw new Error(`The migration ${row.migration_name} was applied to this database with another content.`)
    }
  }
  const applied = new Set(rows.map((row) => row.migration_name))
  return ours.filter(({ name }) => !applied.has(name))
}

function readMigrations(): Migration[] {
  const dir = path.join(PRISMA_DIR, 'migrations')
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, sql: readFileSync(path.join(dir, name, 'migration.sql'), 'utf8') }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Each migration is one transaction with its row in Prisma's own table, so a kill in the middle leaves nothing half done. */
async function apply(client: pg.Client, { name, sql }: Migration): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(PRISMA_TABLE)
    await client.query(sql)
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), checksumOf(sql), name],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw new Error(`The migration ${name} could not be applied; the database is as it was before.`, { cause: error })
  }
}

function checksumOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex')
}

/** The columns of Prisma's own table (prisma-engines, sql-schema-connector). */
const PRISMA_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id varchar(36) PRIMARY KEY NOT NULL,
  checksum varchar(64) NOT NULL,
  finished_at timestamptz,
  migration_name varchar(255) NOT NULL,
  logs text,
  rolled_back_at timestamptz,
  started_at timestamptz NOT NULL DEFAULT now(),
  applied_steps_count integer NOT NULL DEFAULT 0
)`
