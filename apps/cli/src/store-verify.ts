import type { LostImage, RepairReport, StoreName, StoreReport } from '@wombat/engine'
import type { Consent } from './confirm.ts'
import { CliError } from './errors.ts'
import { bytes, count, plural, table } from './format.ts'
import type { Desk } from './on-database.ts'
import { openShare } from './share.ts'
import type { Outcome, Terminal } from './terminal.ts'

export interface VerifyOptions {
  readonly store?: StoreName
  readonly deep?: true
  readonly repair?: true
  readonly giveUp?: true
  readonly yes?: true
}

/** With `consent` it also mends. */
export async function verify(
  { db, engine, operations, settings, stop }: Desk,
  terminal: Terminal,
  options: VerifyOptions,
  consent: Consent | undefined,
): Promise<Outcome> {
  const { config, dataDir } = settings
  const name = options.store ?? engine.storeName(config)
  if (name === 's3' && config.S3_BUCKET === undefined) {
    throw new CliError('configuration', 'S3_BUCKET is not set: set it, in the environment of this command or in .env')
  }
  const store = engine.openNamedStore(config, dataDir, name)
  const otherName = name === 's3' ? 'disk' : config.S3_BUCKET === undefined ? undefined : 's3'
  const other = otherName === undefined ? undefined : engine.openNamedStore(config, dataDir, otherName)
  try {
    using share = openShare(terminal)
    const report = await engine.verifyStore(db, store, {
      isDeep: options.deep === true,
      stop,
      onProgress: ({ step, seen, expected }) => share.show(seen, expected, step),
    })
    share[Symbol.dispose]()
    // Many steps: one entry before the first, so that a run that is broken off has left its trace, and one at the end.
    const mend = async (found: StoreReport): Promise<RepairReport> => {
      const isToGiveUp = options.giveUp === true
      const wanted = { lost: found.lost.length, unnamed: found.unnamed.length, giveUp: isToGiveUp }
      await operations.note({ action: 'store.repair', subject: name, details: wanted })
      const done = await engine.repairStore(db, store, { report: found, other, isToGiveUp, stop })
      const { deleted, restored, givenUp, left } = done
      const counts = { deleted, restored: restored.length, givenUp: givenUp.length, left: left.length }
      await operations.note({ action: 'store.repaired', subject: name, details: counts })
      return done
    }
    let repair: RepairReport | undefined
    if (consent !== undefined && report.lost.length + report.unnamed.length > 0 && !stop.aborted) {
      assertPlausible(report, options)
      await consent.ask(question(report, store.description, options), stop)
      repair = await mend(report)
    }
    return describe(report, repair, store.description, stop)
  } finally {
    await store.close()
    await other?.close()
  }
}

/** More than this, and more than half of all: nobody's script may do that without a person who looks. */
const MANY = 100

/** The wrong database, bucket or prefix makes everything look unnamed or lost. */
function assertPlausible({ images, objects, lost, unnamed }: StoreReport, { giveUp, yes }: VerifyOptions): void {
  const isMuch = (some: number, all: number) => some > MANY && some > all / 2
  const isLosing = giveUp === true && isMuch(lost.length, images)
  if (yes === true && (isLosing || isMuch(unnamed.length, objects))) {
    throw new CliError(
      'refused',
      `${count(unnamed.length)} of ${plural(objects, 'object has', 'objects have')} no row, and ${count(lost.length)} of ${plural(images, 'image', 'images')} no bytes: this looks like another installation's database or store. If it is right, run it at a terminal without --yes`,
    )
  }
}

/** With the sums beside it: an empty database or the wrong bucket shows there, before anything is deleted. */
function question({ images, objects, lost, unnamed }: StoreReport, where: string, { giveUp }: VerifyOptions): string {
  const lines = [
    `${where} has ${plural(objects, 'object', 'objects')}, the database ${plural(images, 'ready image', 'ready images')}.`,
  ]
  if (unnamed.length > 0) {
    lines.push(`Delete ${count(unnamed.length)} of these objects, which no row names, for good?`)
  }
  if (lost.length > 0) {
    lines.push(
      `Bring back the bytes of ${plural(lost.length, 'image', 'images')} where they can be found${giveUp === true ? ', and mark the others as removed for good' : ''}?`,
    )
  }
  return lines.join('\n')
}

function describe(
  report: StoreReport,
  repair: RepairReport | undefined,
  store: string,
  { aborted }: AbortSignal,
): Outcome {
  const { images, objects, lost, unnamed, isComplete } = report
  const isSound = isComplete && lost.length === 0 && unnamed.length === 0
  const isMended = repair !== undefined && repair.left.length === 0 && isComplete && !aborted
  const lines = [
    `${store}: ${plural(objects, 'object', 'objects')}, ${plural(images, 'ready image', 'ready images')}.`,
    ...(isSound ? ['Every image has its bytes, and all bytes belong to an image.'] : findings(report)),
    ...(repair === undefined ? [] : ['', ...mended(repair)]),
    ...(isComplete ? [] : ['', 'This is not all: run it again.']),
  ]
  return {
    json: { ok: isSound || isMended, store, ...report, repair },
    text: lines.join('\n'),
    ...(isSound || isMended ? {} : { failure: 'failed' }),
  }
}

const MOST_SHOWN = 50

function findings({ lost, unnamed }: StoreReport): string[] {
  const size = unnamed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const lines = [`${plural(unnamed.length, 'object that no row names', 'objects that no row names')} (${bytes(size)})`]
  lines.push(...some(unnamed.map(({ objectKey, sizeBytes }) => `  ${objectKey}, ${bytes(sizeBytes)}`)))
  lines.push(`${plural(lost.length, 'ready image without its bytes', 'ready images without their bytes')}`)
  return lost.length === 0 ? lines : [...lines, lostTable(lost)]
}

function lostTable(lost: readonly LostImage[]): string {
  const rows = lost.map(({ imageId, accountId, fault, objectKey }) => [imageId, accountId, fault, objectKey])
  return table(['IMAGE', 'ACCOUNT', 'FAULT', 'OBJECT'], rows)
}

function some(lines: readonly string[]): string[] {
  const rest = lines.length - MOST_SHOWN
  return rest > 0 ? [...lines.slice(0, MOST_SHOWN), `  and ${count(rest)} more (--json has all)`] : [...lines]
}

function mended({ deleted, freedBytes, restored, givenUp, left }: RepairReport): string[] {
  return [
    `Deleted ${plural(deleted, 'object', 'objects')} (${bytes(freedBytes)}).`,
    `Brought back ${plural(restored.length, 'image', 'images')} from the other store.`,
    ...(givenUp.length === 0
      ? []
      : [
          `Gave up ${plural(givenUp.length, 'image', 'images')}: 410 image_expired from now on. Nothing was given back; \`wombat credit adjust\` books what you owe.`,
        ]),
    ...(left.length === 0
      ? []
      : [
          `${plural(left.length, 'image is', 'images are')} still without bytes. Put the objects back from a backup, or say --give-up.`,
        ]),
  ]
}
