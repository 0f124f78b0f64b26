import type { CopyReport, StoreName } from '@wombat/engine'
import { type Command, Option } from 'commander'
import { addDatabaseCommand, addGroup } from './command.ts'
import { takeConsent } from './confirm.ts'
import { CliError } from './errors.ts'
import { bytes, plural, table } from './format.ts'
import { type Desk, onDatabase } from './on-database.ts'
import { openShare } from './share.ts'
import { type VerifyOptions, verify } from './store-verify.ts'
import type { Outcome, Terminal } from './terminal.ts'

const COPY_HELP = `
Both stores are those of the settings: disk is DATA_DIR/blobs, s3 what the settings S3_* name. Servers may go on meanwhile:
what they store while a pass runs is copied by the next. An interrupted copy goes on where it was when it is run again. Each
object is compared with the SHA-256 of its row, written, and read back; nothing is deleted.

To move an installation: run it while the servers run; stop them; run it again, which only takes what is new; start them with
S3_BUCKET set. Then run \`wombat store verify --repair\`, which deletes at the new place what was erased during the move.`

const VERIFY_HELP = `
Without --repair nothing is changed. Rows without bytes are ready images whose object is missing or, with --deep, has other
bytes than its row says. Bytes without rows are objects older than an hour that no image and no list of things to delete names.

--repair deletes bytes without rows. For rows without bytes it looks at the other place (disk, when images are kept on S3) and
brings back what is there and has the right SHA-256. Images whose bytes are nowhere are listed and stay as they are, for a
backup may have them: put the object back and verify again. --give-up ends that: their addresses answer 410 image_expired
instead of 500 from then on. Wombat gives nothing back for them, since they were delivered once: book what you owe with
\`wombat credit adjust\`. Nor does it make them anew: that would be another picture under the same address.`

export function addStoreCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'store', 'where the bytes of images are')

  addDatabaseCommand(group, 'copy', 'copy all images from disk to S3 or back')
    .addOption(place('--from <place>', 'where they are').makeOptionMandatory())
    .addOption(place('--to <place>', 'where they are to be').makeOptionMandatory())
    .addHelpText('after', COPY_HELP)
    .action(async (options: { from: StoreName; to: StoreName }) => {
      if (options.from === options.to) {
        throw new CliError('usage', `--from and --to are both ${options.from}`)
      }
      await onDatabase(terminal, 'store copy', (desk) => copy(desk, terminal, options))
    })

  addDatabaseCommand(
    group,
    'verify',
    'find images without bytes and bytes without images; exit code 1 when there are some',
  )
    .addOption(place('--store <place>', 'what to look at, when it is not what the settings name'))
    .option('--deep', 'read all bytes and compare them with the SHA-256 of their rows')
    .option('--repair', 'mend what can be mended')
    .option('--give-up', 'with --repair: mark images as removed whose bytes are nowhere')
    .option('--yes', 'do not ask')
    .addHelpText('after', VERIFY_HELP)
    .action(async (options: VerifyOptions) => {
      if (options.giveUp === true && options.repair !== true) {
        throw new CliError('usage', '--give-up is a part of --repair: give both')
      }
      const consent = options.repair === true ? takeConsent(terminal, options) : undefined
      await onDatabase(terminal, 'store verify', (desk) => verify(desk, terminal, options, consent))
    })
}

function place(flags: string, summary: string): Option {
  return new Option(flags, summary).choices(['disk', 's3'])
}

async function copy(
  { db, engine, settings, stop }: Desk,
  terminal: Terminal,
  names: { from: StoreName; to: StoreName },
): Promise<Outcome> {
  const { config, dataDir } = settings
  if (config.S3_BUCKET === undefined) {
    throw new CliError('configuration', 'S3_BUCKET is not set: set it, in the environment of this command or in .env')
  }
  const from = engine.openNamedStore(config, dataDir, names.from)
  const to = engine.openNamedStore(config, dataDir, names.to)
  try {
    await to.check()
    using share = openShare(terminal)
    const report = await engine.copyStore(db, {
      from,
      to,
      stop,
      onProgress: ({ pass, seen, expected, copied, bytes: size }) =>
        share.show(seen, expected, `pass ${pass}, ${plural(copied, 'object', 'objects')} copied, ${bytes(size)}`),
    })
    share[Symbol.dispose]()
    const isWhole = report.isComplete && report.uncopied.length === 0
    return {
      json: { from: from.description, to: to.description, ...report },
      text: copyText(report, { from: from.description, to: to.description }),
      ...(isWhole ? {} : { failure: 'failed' }),
    }
  } finally {
    await from.close()
    await to.close()
  }
}

function copyText(report: CopyReport, { from, to }: { from: string; to: string }): string {
  const { copied, bytes: size, present, uncopied, isComplete, passes } = report
  const lines = [
    `${isComplete ? 'Copied' : 'Broken off, run it again to go on; so far copied'}, from ${from} to ${to}:`,
    `  ${plural(copied, 'object', 'objects')}, ${bytes(size)}, in ${plural(passes, 'pass', 'passes')}`,
    `  ${plural(present, 'object was', 'objects were')} there already`,
  ]
  if (uncopied.length > 0) {
    const rows = uncopied.map(({ objectKey, imageId, reason }) => [objectKey, imageId ?? '', reason])
    lines.push('', `NOT copied:`, table(['OBJECT', 'IMAGE', 'REASON'], rows))
  }
  return lines.join('\n')
}
