import { randomBytes } from 'node:crypto'
import { lchown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Binaries } from './binaries.ts'
import { syncDirectory } from './copy-files.ts'
import { errorCode } from './error-code.ts'
import { run } from './run.ts'
import { describeObstacle, findObstacle, type ServerUser } from './server-user.ts'
import { ROLE } from './sql.ts'

const INITDB_TIMEOUT_MS = 120_000
const UNFINISHED_PREFIX = 'postgres.initdb-'

/** Makes the cluster when there is none, under another name first: killed at any moment, it leaves all or nothing. */
export async function ensureCluster(
  clusterDir: string,
  options: { binaries: Binaries; user: ServerUser; durable: boolean },
): Promise<void> {
  const { binaries, user, durable } = options
  const dataDir = path.dirname(clusterDir)
  const obstacle = user.isOther ? await findObstacle(dataDir, user) : undefined
  if (obstacle !== undefined) {
    throw new Error(describeObstacle(obstacle, { target: clusterDir, user }))
  }
  const major = await readMajor(clusterDir)
  if (major !== undefined) {
    assertMajor(major, { clusterDir, binaries })
    return
  }
  await removeUnfinished(dataDir)
  const unfinished = path.join(dataDir, `${UNFINISHED_PREFIX}${randomBytes(4).toString('hex')}`)
  await makeDirectory(unfinished, user)
  const { code, output } = await run(binaries.initdb, initdbArguments(unfinished, durable), {
    user,
    timeoutMs: INITDB_TIMEOUT_MS,
  })
  if (code !== 0) {
    await rm(unfinished, { recursive: true, force: true })
    throw new Error(`PostgreSQL's initdb failed in ${dataDir}: ${output}`)
  }
  await rename(unfinished, clusterDir)
  await syncDirectory(dataDir)
}

/** Writes the whole of postgresql.conf. What people set with ALTER SYSTEM is in another file and goes first. */
export async function writeSettings(
  clusterDir: string,
  options: { socketDir: string; durable: boolean; user: ServerUser },
): Promise<void> {
  const { socketDir, durable, user } = options
  const settings = { ...SETTINGS, unix_socket_directories: socketDir, ...(durable ? {} : THROW_AWAY_SETTINGS) }
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
  const file = path.join(clusterDir, 'postgresql.conf')
  const header = '# Wombat writes this file at every start of PostgreSQL. For settings of your own use ALTER SYSTEM.\n'
  // This directory is the server's to write: as root we follow no link in it.
  await rm(`${file}.new`, { force: true })
  await writeFile(`${file}.new`, header + lines.join(''), { mode: 0o600, flag: 'wx' })
  if (user.isOther) {
    await lchown(`${file}.new`, user.uid, user.gid)
  }
  await rename(`${file}.new`, file)
}

const SETTINGS = {
  listen_addresses: '',
  port: '5432',
  unix_socket_permissions: '0700',
  max_connections: '200',
  shared_buffers: '128MB',
  wal_compression: 'on',
  jit: 'off',
  timezone: 'UTC',
  lc_messages: 'C',
  // One file for each day of the week, which is emptied before its next turn.
  logging_collector: 'on',
  log_directory: 'log',
  log_filename: 'postgres-%a.log',
  log_rotation_age: '1d',
  log_rotation_size: '0',
  log_truncate_on_rotation: 'on',
  log_timezone: 'UTC',
  // What the server itself goes through. The errors of statements reach those who sent them, and would show prompts.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  log_autovacuum_min_duration: '-1',
}

const THROW_AWAY_SETTINGS = {
  // Several test files at once, each with servers of its own.
  max_connections: '500',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  wal_compression: 'off',
}

/** PostgreSQL's own collation: sorted text does not change under an index when the system's C library does. */
function initdbArguments(directory: string, durable: boolean): string[] {
  return [
    ...['-D', directory, '-U', ROLE, '--auth-local=trust', '--auth-host=reject', '--encoding=UTF8', '--locale=C'],
    ...[
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
      ...(durable ? [] : ['--no-sync']),
    ],
  ]
}

/** Undefined when there is no cluster. */
async function readMajor(clusterDir: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(clusterDir, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') {
      throw error
    }
  }
  const names = await readdir(clusterDir).catch(() => [])
  if (names.length > 0) {
    throw new Error(
      `${clusterDir} is neither empty nor a data directory of PostgreSQL. Move it away, or set DATABASE_URL.`,
    )
  }
  return undefined
}

function assertMajor(major: string, { clusterDir, binaries }: { clusterDir: string; binaries: Binaries }): void {
  if (major !== binaries.major) {
    throw new Error(
      `${clusterDir} was made by PostgreSQL ${major}, and this version of Wombat brings PostgreSQL ${binaries.major}, which cannot read it. ` +
        `Use the Wombat that made it, or move the data with pg_dump of ${major} to a new DATA_DIR, or run PostgreSQL ${major} yourself and set DATABASE_URL.`,
    )
  }
}

/** An initdb that outlived its killed parent may still be writing: what does not go away now goes next time. */
async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (name.startsWith(UNFINISHED_PREFIX)) {
      await rm(path.join(dataDir, name), { recursive: true, force: true }).catch(() => {})
    }
  }
}

async function makeDirectory(directory: string, user: ServerUser): Promise<void> {
  await mkdir(directory, { mode: 0o700 })
  if (user.isOther) {
    await lchown(directory, user.uid, user.gid)
  }
}
