import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { copyFile, copyTree, syncDirectory } from './copy-files.ts'

/** One session of the server, which ends after the copy: with it ends everything that this file asks for. */
export interface BackupSession {
  query(text: string): Promise<{ rows: readonly Readonly<Record<string, unknown>>[] }>
}

export interface BackupOptions {
  readonly dataDir: string
  /** A directory that is made, in which the copy becomes a cluster of its own. */
  readonly to: string
  readonly session: BackupSession
  readonly stop: AbortSignal
  readonly onBytes: (bytes: number) => void
  /** A copy that hangs for so long is given up. */
  readonly silenceMs?: number
}

/** Writing one file to a slow disk may take minutes before it is heard of again. */
const SILENCE_MS = 30 * 60_000

/**
 * Copies the cluster of a data directory while its server runs, by PostgreSQL's low-level API for backups. The copy is
 * that of the moment at which this returns; a server that is started on it replays its log up to there first. What is left
 * in `to` after an error is no backup.
 */
export async function copyRunningCluster(options: BackupOptions): Promise<void> {
  const { dataDir, to, session, stop, onBytes, silenceMs = SILENCE_MS } = options
  const clusterDir = path.join(dataDir, 'postgres')
  // Else a checkpoint would let go of the log that the copy needs. Temporary: it ends with the session. And the session ends
  // when nothing is copied any more (a disk that hangs, Ctrl-Z), or the log would grow until the server's own disk is full.
  const slot = `wombat_backup_${randomBytes(6).toString('hex')}`
  await session.query(`SET idle_session_timeout = ${silenceMs}`)
  await session.query(`SELECT pg_create_physical_replication_slot('${slot}', true, true)`)
  await session.query(`SELECT pg_backup_start('wombat backup', fast => true)`)
  await copyFiles(clusterDir, { ...options, silenceMs })
  await copyControlFile(clusterDir, to)
  const stopped = await session.query(
    'SELECT labelfile AS label, pg_walfile_name(lsn - 1) AS last FROM pg_backup_stop(wait_for_archive => false)',
  )
  const { label, last } = stopped.rows[0] ?? {}
  if (typeof label !== 'string' || typeof last !== 'string') {
    throw new Error('PostgreSQL did not say where the backup ends.')
  }
  await writeFile(path.join(to, 'backup_label'), label, { mode: 0o600, flush: true })
  await copyLog(clusterDir, to, { first: firstSegment(label), last, stop, onBytes })
  await syncDirectory(to)
  await session.query(`SELECT pg_drop_replication_slot('${slot}')`)
  await session.query('SET idle_session_timeout = 0')
}

/** The session is heard of as long as there is progress. */
async function copyFiles(
  from: string,
  { to, session, stop, onBytes, silenceMs }: BackupOptions & { readonly silenceMs: number },
): Promise<void> {
  let copied = 0
  let told = 0
  const beat = setInterval(() => {
    if (copied > told) {
      told = copied
      session.query('SELECT 1').catch(() => {
        // The next statement of the backup tells what has become of the session.
      })
    }
  }, silenceMs / 30)
  try {
    await copyTree({
      from,
      to,
      isSkipped: isLeftOut,
      stop,
      onBytes(bytes) {
        copied += bytes
        onBytes(bytes)
      },
    })
  } finally {
    clearInterval(beat)
  }
}

/** What a server makes anew, what belongs to the running one, and what is copied last. */
const EMPTY_DIRECTORIES: ReadonlySet<string> = new Set([
  'log',
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
])
const LEFT_OUT: ReadonlySet<string> = new Set([
  'backup_label',
  'backup_label.old',
  'postgresql.conf.new',
  'postmaster.opts',
  'postmaster.pid',
  'start.log',
  'tablespace_map',
])
const CONTROL_FILE = path.join('global', 'pg_control')

function isLeftOut(name: string): boolean {
  const base = path.basename(name)
  return (
    LEFT_OUT.has(name) ||
    EMPTY_DIRECTORIES.has(path.dirname(name)) ||
    name === CONTROL_FILE ||
    base.startsWith('pgsql_tmp') ||
    base.startsWith('pg_internal.init')
  )
}

const CONTROL_TRIES = 50
const CONTROL_PAUSE_MS = 20

/** The server rewrites it in place, at checkpoints and seldom else: two reads that agree have not met a half of one. */
async function copyControlFile(clusterDir: string, to: string): Promise<void> {
  const file = path.join(clusterDir, CONTROL_FILE)
  let before = await readFile(file)
  for (let attempt = 0; attempt < CONTROL_TRIES; attempt += 1) {
    await sleep(CONTROL_PAUSE_MS)
    const now = await readFile(file)
    if (now.equals(before)) {
      await writeFile(path.join(to, CONTROL_FILE), now, { mode: 0o600, flush: true })
      return
    }
    before = now
  }
  throw new Error(`${file} never stays the same.`)
}

function firstSegment(label: string): string {
  const name = /^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$/m.exec(label)?.[1]
  if (name === undefined) {
    throw new Error(`PostgreSQL's backup label does not say where its log begins: ${label}`)
  }
  return name
}

/** All of the log from the beginning of the backup to its end; a server refuses to start on less. */
async function copyLog(
  clusterDir: string,
  to: string,
  { first, last, stop, onBytes }: { first: string; last: string; stop: AbortSignal; onBytes: (bytes: number) => void },
): Promise<void> {
  const names = await readdir(path.join(clusterDir, 'pg_wal'))
  const needed = names.filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= first && name <= last)
  const expected = segmentNumber(last) - segmentNumber(first) + 1
  if (needed.length !== expected) {
    throw new Error(
      `Of PostgreSQL's log from ${first} to ${last} there are ${needed.length} of ${expected} files, so this is no backup.`,
    )
  }
  for (const name of needed) {
    await copyFile(path.join(clusterDir, 'pg_wal', name), path.join(to, 'pg_wal', name), { stop, onBytes })
  }
  await syncDirectory(path.join(to, 'pg_wal'))
}

/** Names are timeline, high and low half of a position, of which a segment of 16 MB takes the last six digits. */
function segmentNumber(name: string): number {
  return Number.parseInt(name.slice(8, 16), 16) * 256 + Number.parseInt(name.slice(16), 16)
}
