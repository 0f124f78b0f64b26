import { createHash } from 'node:crypto'
import type { Database } from '@wombat/database'
import { countStoredImages, findStoredImages, type StoredImage } from '@wombat/images'
import type { BlobEntry, BlobStore } from '@wombat/store'
import { inParallel } from './in-parallel.ts'

/** What is copied at once, and read back. */
const PARALLEL = 8
const BATCH = 200
/** What appears while the last pass runs is for the next command. */
const MOST_PASSES = 3
/** All objects, and those that are there only for a moment to see whether a store works. */
export const ALL_OBJECTS = 'images/'
export const CHECK_OBJECTS = 'images/check/'

export interface CopyProgress {
  readonly pass: number
  /** Objects of the source that this pass is done with, and roughly how many there are. */
  readonly seen: number
  readonly expected: number
  readonly copied: number
  readonly bytes: number
}

export interface UncopiedObject {
  readonly objectKey: string
  readonly imageId: string | undefined
  readonly reason: string
}

export interface CopyReport {
  readonly passes: number
  readonly copied: number
  readonly bytes: number
  /** Objects that were at the target before. */
  readonly present: number
  readonly uncopied: readonly UncopiedObject[]
  /** False: it was told to stop before the end. The next run goes on from there. */
  readonly isComplete: boolean
}

/**
 * Copies what the target does not have yet, pass by pass until one finds nothing new. Each object is compared with its
 * row before it is written, and read back after that. Nothing is deleted anywhere.
 */
export async function copyStore(
  db: Database,
  options: {
    from: BlobStore
    to: BlobStore
    stop: AbortSignal
    onProgress: (progress: CopyProgress) => void
  },
): Promise<CopyReport> {
  const { stop, onProgress } = options
  const { images: expected } = await countStoredImages(db)
  let report: CopyReport = { passes: 0, copied: 0, bytes: 0, present: 0, uncopied: [], isComplete: true }
  for (let pass = 1; pass <= MOST_PASSES; pass += 1) {
    const { copied, bytes } = report
    const done = await copyOnce(db, options, (now) =>
      onProgress({ pass, seen: now.seen, expected, copied: copied + now.copied, bytes: bytes + now.bytes }),
    )
    report = {
      passes: pass,
      copied: copied + done.copied,
      bytes: bytes + done.bytes,
      present: pass === 1 ? done.present : report.present,
      uncopied: done.uncopied,
      isComplete: !stop.aborted,
    }
    if (done.copied === 0 || stop.aborted) {
      break
    }
  }
  return report
}

interface Pass {
  seen: number
  copied: number
  bytes: number
  present: number
  uncopied: UncopiedObject[]
}

async function copyOnce(
  db: Database,
  { from, to, stop }: { from: BlobStore; to: BlobStore; stop: AbortSignal },
  onStep: (now: Pass) => void,
): Promise<Pass> {
  const pass: Pass = { seen: 0, copied: 0, bytes: 0, present: 0, uncopied: [] }
  let batch: BlobEntry[] = []

  async function copyBatch() {
    const rows = await findStoredImages(
      db,
      batch.map(({ key }) => key),
    )
    await inParallel(batch, { most: PARALLEL, stop }, async ({ key }) => {
      const outcome = await copyOne({ from, to, key, row: rows.get(key) })
      pass.seen += 1
      if (typeof outcome === 'string') {
        pass.uncopied.push({ objectKey: key, imageId: rows.get(key)?.imageId, reason: outcome })
      } else if (outcome !== undefined) {
        pass.copied += 1
        pass.bytes += outcome
      }
      onStep(pass)
    })
    batch = []
  }

  for await (const { entry, isThere } of compareStores(from, to)) {
    if (stop.aborted) {
      return pass
    }
    if (!isThere) {
      batch.push(entry)
    } else {
      pass.seen += 1
      pass.present += 1
    }
    if (batch.length === BATCH) {
      await copyBatch()
    } else if (pass.seen % BATCH === 0) {
      onStep(pass)
    }
  }
  await copyBatch()
  onStep(pass)
  return pass
}

/** Both come in the order of their keys. An object has one content for ever, so that its size tells whether it is whole. */
async function* compareStores(from: BlobStore, to: BlobStore): AsyncIterable<{ entry: BlobEntry; isThere: boolean }> {
  const there = to.list(ALL_OBJECTS)[Symbol.asyncIterator]()
  let next = await there.next()
  for await (const entry of from.list(ALL_OBJECTS)) {
    if (entry.key.startsWith(CHECK_OBJECTS)) {
      continue
    }
    while (next.done !== true && next.value.key < entry.key) {
      next = await there.next()
    }
    const isThere = next.done !== true && next.value.key === entry.key && next.value.sizeBytes === entry.sizeBytes
    yield { entry, isThere }
  }
}

/** How many bytes; undefined: it is gone from the source meanwhile; a text: why it was not copied. */
async function copyOne(object: {
  from: BlobStore
  to: BlobStore
  key: string
  row: StoredImage | undefined
}): Promise<number | string | undefined> {
  const { from, to, key, row } = object
  const bytes = await from.read(key)
  if (bytes === undefined) {
    return undefined
  }
  const digest = sha256(bytes)
  if (row !== undefined && digest !== row.sha256) {
    return 'its bytes at the source are not those that its row names'
  }
  await to.put(key, bytes, row?.contentType ?? typeOf(key))
  const back = await to.read(key)
  return back !== undefined && sha256(back) === digest
    ? bytes.length
    : 'the target does not give back what was written to it'
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Of an object without a row; nobody reads it from there. */
function typeOf(key: string): string {
  return key.endsWith('.jpg') ? 'image/jpeg' : 'image/png'
}
