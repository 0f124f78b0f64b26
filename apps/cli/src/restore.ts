import { stat } from 'node:fs/promises'
import path from 'node:path'
import { type Backup, clusterOf, listBackups } from './backup-place.ts'
import { describeUrl } from './describe-url.ts'
import { CliError } from './errors.ts'
import { bytes, credits, plural } from './format.ts'
import { type Desk, onDatabase, runSupervised } from './on-database.ts'
import { readSettings, type Settings } from './settings.ts'
import { openShare } from './share.ts'
import type { Outcome, Terminal } from './terminal.ts'

export interface RestoreChoice {
  readonly from: string
  readonly backup?: string
  readonly imagesOnly?: true
}

/** The database first; then, with it, the images, each compared with its row. */
export async function restore(terminal: Terminal, choice: RestoreChoice): Promise<void> {
  const place = path.resolve(choice.from)
  const chosen = choose(await listBackups(place), place, choice.backup)
  if (choice.imagesOnly !== true) {
    await runSupervised(terminal, async (stop) => {
      const settings = await readSettings()
      await assertRoom(settings)
      await restoreDatabase(settings, { place, chosen, stop, terminal })
    })
  }
  await onDatabase(terminal, 'restore', (desk) => bringBack(desk, terminal, { place, chosen, choice }))
}

function choose(backups: readonly Backup[], place: string, name: string | undefined): Backup {
  const chosen = name === undefined ? backups.at(-1) : backups.find((one) => one.name === name)
  if (chosen === undefined) {
    const names = backups.map((one) => one.name).join(', ')
    throw new CliError(
      'not_found',
      backups.length === 0 ? `there is no backup in ${place}` : `there is no such backup in ${place}: it has ${names}`,
    )
  }
  return chosen
}

async function assertRoom({ config, dataDir }: Settings): Promise<void> {
  if (config.DATABASE_URL !== undefined) {
    throw new CliError(
      'configuration',
      `DATABASE_URL names ${describeUrl(config.DATABASE_URL)}, and a backup goes into DATA_DIR: unset it`,
    )
  }
  const cluster = path.join(dataDir, 'postgres')
  if ((await stat(cluster).catch(() => undefined)) !== undefined) {
    throw new CliError(
      'refused',
      `${cluster} is there already, and nothing is written over it: stop all servers and move it away. --images-only leaves it as it is`,
    )
  }
}

async function restoreDatabase(
  { dataDir }: Settings,
  { place, chosen, stop, terminal }: { place: string; chosen: Backup; stop: AbortSignal; terminal: Terminal },
): Promise<void> {
  const [{ restoreCluster }, { makeDataDir }] = await Promise.all([import('@wombat/embedded'), import('./connect.ts')])
  await makeDataDir(dataDir)
  let size = 0
  await restoreCluster({
    from: clusterOf(place, chosen),
    dataDir,
    stop,
    onBytes: (some) => {
      size += some
    },
  })
  terminal.note(`The database of ${chosen.at} is in ${dataDir} (${bytes(size)}).`)
}

/** Opening the desk has started PostgreSQL, which has brought the copy to its moment, and has migrated it. */
async function bringBack(
  { db, engine, operations, settings, stop }: Desk,
  terminal: Terminal,
  { place, chosen, choice }: { place: string; chosen: Backup; choice: RestoreChoice },
): Promise<Outcome> {
  await using stack = new AsyncDisposableStack()
  const from = engine.openNamedStore(settings.config, place, 'disk')
  stack.defer(() => from.close())
  const store = engine.openStore(settings.config, settings.dataDir)
  stack.defer(() => store.close())
  using share = openShare(terminal)
  const copied = await engine.copyStore(db, {
    from,
    to: store,
    stop,
    onProgress: ({ seen, expected }) => share.show(seen, expected, 'images'),
  })
  const { lost, images } = await engine.verifyStore(db, store, {
    isDeep: false,
    stop,
    onProgress: ({ seen, expected }) => share.show(seen, expected, 'looking for images'),
  })
  share[Symbol.dispose]()
  stop.throwIfAborted()
  const ledger = await operations.verifyLedger()
  const isOk = lost.length === 0 && ledger.faults.length === 0
  const { name, at, version } = chosen
  const details = {
    name,
    at,
    version,
    imagesOnly: choice.imagesOnly === true,
    copied: copied.copied,
    lost: lost.length,
  }
  await operations.note({ action: 'backup.restore', subject: name, details })
  const lines = [
    `Restored ${choice.imagesOnly === true ? 'images' : 'the database and images'} of ${at}: ${plural(images, 'image', 'images')}, of which ${plural(copied.copied, 'was', 'were')} copied; ${plural(ledger.accounts, 'account', 'accounts')} with ${credits(ledger.credits)}.`,
    ledger.faults.length === 0 ? 'The ledger adds up.' : 'The ledger does NOT add up: see `wombat ledger verify`.',
    lost.length === 0
      ? 'Every image has its bytes.'
      : `${plural(lost.length, 'image lacks its bytes', 'images lack their bytes')}: see \`wombat store verify\`.`,
  ]
  return {
    json: {
      ok: isOk,
      backup: chosen,
      images,
      imagesCopied: copied.copied,
      lost: lost.length,
      ledgerFaults: ledger.faults.length,
    },
    text: lines.join('\n'),
    ...(isOk ? {} : { failure: 'failed' }),
  }
}
