import { mkdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import type { BackupSession } from '@wombat/embedded'
import type { Command } from 'commander'
import { integer } from './arguments.ts'
import { beginBackup, listBackups } from './backup-place.ts'
import { addDatabaseCommand } from './command.ts'
import { describeUrl } from './describe-url.ts'
import { CliError, messageOf } from './errors.ts'
import { bytes, plural } from './format.ts'
import { type Desk, onDatabase } from './on-database.ts'
import { type RestoreChoice, restore } from './restore.ts'
import { readSettings, type Settings } from './settings.ts'
import { openShare } from './share.ts'
import type { Outcome, Terminal } from './terminal.ts'
import { version } from './version.ts'

const BACKUP_HELP = `
For the embedded PostgreSQL, while servers run. The directory may be used again and again: each backup is a whole copy of the
database, images are copied once. It holds prompts and secrets like DATA_DIR itself, but no settings: keep .env and wombat.yaml
elsewhere. Images in a bucket are not copied. docs/operations.md tells what to do with a PostgreSQL of your own.`

const RESTORE_HELP = `
Stop all servers first. DATA_DIR must have no database: move what is there away. What happened after the backup is gone: images,
charges, keys that were made or revoked, erasures. docs/operations.md tells what to do about each.

--images-only brings back images that the store lacks, to a database that is there; also after a restore that was broken off.`

export function addBackupCommands(program: Command, terminal: Terminal): void {
  addDatabaseCommand(program, 'backup', 'copy the database and the images of DATA_DIR, while servers run')
    .requiredOption('--to <directory>', 'a directory of backups, on another disk')
    .option('--keep <number>', 'afterwards remove all but the newest so many', integer(1, 10_000))
    .option('--database-only', 'not the images: something else copies DATA_DIR/blobs, after this')
    .addHelpText('after', BACKUP_HELP)
    .action(async (options: BackupOptions) => {
      await assertDatabase()
      await onDatabase(terminal, 'backup', (desk) => backup(desk, terminal, options))
    })

  addDatabaseCommand(program, 'restore', 'bring a backup back, into a DATA_DIR without a database')
    .requiredOption('--from <directory>', 'the directory of backups')
    .option('--backup <name>', 'which one (default: the newest)')
    .option('--images-only', 'only bring back what images the store lacks')
    .addHelpText('after', RESTORE_HELP)
    .action((options: RestoreChoice) => restore(terminal, options))
}

interface BackupOptions {
  readonly to: string
  readonly keep?: number
  readonly databaseOnly?: true
}

/** In a wrong directory there would be a new, empty database, and with --keep its backups would take the place of the real ones. */
async function assertDatabase(): Promise<void> {
  const settings = await readSettings()
  const { hasDatabase } = await import('./connect.ts')
  if (!(await hasDatabase(settings))) {
    throw new CliError(
      'not_found',
      `there is no database in ${settings.dataDir}: set DATA_DIR, or run this in the directory of its .env`,
    )
  }
}

/** Any fixed number that only backups use: two at once would take each other's files away. */
const ADVISORY_LOCK = 0x776f6d63

/**
 * Images first, then the database, then the images that came meanwhile: whatever the database names at its moment is there
 * then, even if it is removed or transcoded while this runs.
 */
async function backup(desk: Desk, terminal: Terminal, { to, keep, databaseOnly }: BackupOptions): Promise<Outcome> {
  const { engine, settings, databaseUrl } = desk
  assertEmbedded(settings)
  const place = await makePlace(path.resolve(to), settings.dataDir)
  const isOnDisk = settings.config.S3_BUCKET === undefined
  const hasImages = isOnDisk && databaseOnly !== true
  const copyImages = async (step: string) => (hasImages ? await addImages(desk, place, { terminal, step }) : 0)

  return await engine.withClient(databaseUrl, async (session) => {
    const { rows } = await session.query(`SELECT pg_try_advisory_lock(${ADVISORY_LOCK}) AS "isFree"`)
    if (rows[0]?.isFree !== true) {
      throw new CliError('refused', 'another backup of this database is being made: wait for it')
    }
    const cluster = await assertOwnPlace(session, place)
    await using unfinished = await beginBackup(place)
    const before = await copyImages('images')
    const databaseBytes = await copyDatabase(desk, { session, to: unfinished.clusterDir, terminal })
    const at = new Date().toISOString()
    const imagesCopied = before + (await copyImages('images that came meanwhile'))
    const { name, removed } = await unfinished.finish({ at, version: version(), cluster, hasImages }, keep)
    const images = hasImages ? `, ${plural(imagesCopied, 'new image', 'new images')}` : ''
    const lines = [`Backup ${name} is in ${place}: the database (${bytes(databaseBytes)})${images}.`]
    if (!hasImages) {
      lines.push(
        `It has no images: back up ${isOnDisk ? path.join(settings.dataDir, 'blobs') : 'the bucket'} as well, after this.`,
      )
    }
    if (removed.length > 0) {
      lines.push(`Removed ${plural(removed.length, 'older one', 'older ones')}: ${removed.join(', ')}.`)
    }
    return { json: { place, name, at, databaseBytes, hasImages, imagesCopied, removed }, text: lines.join('\n') }
  })
}

function assertEmbedded({ config }: Settings): void {
  if (config.DATABASE_URL !== undefined) {
    throw new CliError(
      'configuration',
      `the database is at ${describeUrl(config.DATABASE_URL)}, not in DATA_DIR: back it up with pg_dump, as docs/operations.md tells`,
    )
  }
}

async function makePlace(wanted: string, dataDir: string): Promise<string> {
  await listBackups(wanted)
  await mkdir(wanted, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new CliError('configuration', `${wanted} can't be made: ${messageOf(error)}`, { cause: error })
  })
  const place = await realpath(wanted)
  const inside = path.relative(await realpath(dataDir), place)
  if (inside === '' || !(inside.startsWith('..') || path.isAbsolute(inside))) {
    throw new CliError('usage', `${place} is in DATA_DIR, and would be lost with it: name another place`)
  }
  return place
}

/** Two databases with one place would remove each other's backups. Answers the number of the cluster. */
async function assertOwnPlace(session: BackupSession, place: string): Promise<string> {
  const { rows } = await session.query('SELECT system_identifier::text AS cluster FROM pg_control_system()')
  const cluster = String(rows[0]?.cluster)
  const other = (await listBackups(place)).find((one) => one.cluster !== undefined && one.cluster !== cluster)
  if (other !== undefined) {
    throw new CliError('refused', `${place} has backups of another database, such as ${other.name}: name another place`)
  }
  return cluster
}

/** Answers how many were new. */
async function addImages(
  { db, engine, settings, stop }: Desk,
  place: string,
  { terminal, step }: { terminal: Terminal; step: string },
): Promise<number> {
  const from = engine.openStore(settings.config, settings.dataDir)
  const to = engine.openNamedStore(settings.config, place, 'disk')
  using share = openShare(terminal)
  const report = await engine.copyStore(db, {
    from,
    to,
    stop,
    onProgress: ({ seen, expected }) => share.show(seen, expected, step),
  })
  stop.throwIfAborted()
  const [fault] = report.uncopied
  if (fault !== undefined) {
    // A backup without them is worth more than none; the store is sick, and whoever looks at it finds all of them.
    terminal.warn(
      `${plural(report.uncopied.length, 'object was', 'objects were')} not copied, such as ${fault.objectKey}: ${fault.reason}. See \`wombat store verify --deep\``,
    )
  }
  return report.copied
}

async function copyDatabase(
  { settings, stop }: Desk,
  { session, to, terminal }: { session: BackupSession; to: string; terminal: Terminal },
): Promise<number> {
  const { copyRunningCluster } = await import('@wombat/embedded')
  const { rows } = await session.query('SELECT sum(pg_database_size(oid))::float8 AS bytes FROM pg_database')
  const expected = Number(rows[0]?.bytes)
  let size = 0
  using share = openShare(terminal)
  await copyRunningCluster({
    dataDir: settings.dataDir,
    to,
    session,
    stop,
    onBytes: (some) => {
      size += some
      share.show(size, expected, 'bytes of the database')
    },
  })
  return size
}
