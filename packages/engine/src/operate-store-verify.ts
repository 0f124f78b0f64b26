import type { Database } from '@wombat/database'
import {
  countStoredImages,
  findStoredImages,
  findUnnamedObjects,
  giveUpImage,
  listStoredImages,
  type StoredImage,
} from '@wombat/images'
import type { BlobEntry, BlobStore } from '@wombat/store'
import { inParallel } from './in-parallel.ts'
import { ALL_OBJECTS, CHECK_OBJECTS, sha256 } from './operate-store.ts'

const BATCH = 1000
const PARALLEL = 8
/** Who stores an object names it in a row soon after. */
const YOUNG_MS = 3_600_000
/** What one run finds at most; the next one finds the rest. */
const MOST_FINDINGS = 100_000

export interface LostImage {
  readonly imageId: string
  readonly accountId: string
  readonly objectKey: string
  readonly sha256: string
  readonly contentType: string
  /** missing: there is no such object. damaged: it has other bytes than the row names. */
  readonly fault: 'missing' | 'damaged'
}

export interface StoreReport {
  readonly images: number
  readonly objects: number
  /** Ready images without their bytes. */
  readonly lost: readonly LostImage[]
  /** Objects older than an hour that no row names. */
  readonly unnamed: readonly { readonly objectKey: string; readonly sizeBytes: number }[]
  /** False: it was told to stop, or there are more faults than one run can hold. */
  readonly isComplete: boolean
}

export interface VerifyOptions {
  /** Reads all bytes and compares them with the rows. */
  readonly isDeep: boolean
  readonly stop: AbortSignal
  readonly onProgress: (progress: { step: 'images' | 'objects'; seen: number; expected: number }) => void
  readonly now?: number
}

/** Compares rows and objects in both directions, while servers go on. Changes nothing. */
export async function verifyStore(db: Database, store: BlobStore, options: VerifyOptions): Promise<StoreReport> {
  const { images: expected } = await countStoredImages(db)
  const { images, lost } = await findLost(db, store, { ...options, expected })
  const { objects, unnamed } = await findUnnamed(db, store, { ...options, expected })
  const isFull = lost.length >= MOST_FINDINGS || unnamed.length >= MOST_FINDINGS
  return { images, objects, lost, unnamed, isComplete: !options.stop.aborted && !isFull }
}

type Search = VerifyOptions & { expected: number }

/** Rows and objects come in one order, ids being in the keys; what is out of order is looked up by itself. */
async function findLost(db: Database, store: BlobStore, { isDeep, stop, onProgress, expected }: Search) {
  const lost: LostImage[] = []
  const listing = store.list(ALL_OBJECTS)[Symbol.asyncIterator]()
  let next = await listing.next()
  let images = 0
  for (let after = ''; !stop.aborted && lost.length < MOST_FINDINGS; ) {
    const rows = await listStoredImages(db, { after, limit: BATCH })
    const keys = rows.map(({ objectKey }) => objectKey).sort()
    const last = keys.at(-1) ?? ''
    const there = new Set<string>()
    while (next.done !== true && next.value.key <= last) {
      there.add(next.value.key)
      next = await listing.next()
    }
    await inParallel(rows, { most: PARALLEL, stop }, async (row) => {
      const fault = await findFault(db, store, row, { isDeep, isListed: there.has(row.objectKey) })
      if (fault !== undefined) {
        const { imageId, accountId, objectKey, contentType } = row
        lost.push({ imageId, accountId, objectKey, sha256: row.sha256, contentType, fault })
      }
    })
    images += rows.length
    onProgress({ step: 'images', seen: images, expected })
    after = rows.at(-1)?.imageId ?? ''
    if (rows.length < BATCH) {
      break
    }
  }
  return { images, lost }
}

async function findFault(
  db: Database,
  store: BlobStore,
  row: StoredImage,
  { isDeep, isListed }: { isDeep: boolean; isListed: boolean },
): Promise<LostImage['fault'] | undefined> {
  if (isListed && !isDeep) {
    return undefined
  }
  const fault = isDeep ? await readFault(store, row) : (await isThere(store, row)) ? undefined : 'missing'
  // It may have been erased or transcoded since its row was read.
  return fault !== undefined && (await findStoredImages(db, [row.objectKey])).has(row.objectKey) ? fault : undefined
}

async function readFault(
  store: BlobStore,
  row: Pick<StoredImage, 'objectKey' | 'sha256'>,
): Promise<LostImage['fault'] | undefined> {
  const bytes = await store.read(row.objectKey)
  if (bytes === undefined) {
    return 'missing'
  }
  return sha256(bytes) === row.sha256 ? undefined : 'damaged'
}

async function isThere(store: BlobStore, { objectKey }: StoredImage): Promise<boolean> {
  for await (const { key } of store.list(objectKey)) {
    return key === objectKey
  }
  return false
}

async function findUnnamed(db: Database, store: BlobStore, search: Search) {
  const { stop, onProgress, expected, now = Date.now() } = search
  const unnamed: { objectKey: string; sizeBytes: number }[] = []
  let batch: BlobEntry[] = []
  let objects = 0
  async function look() {
    const keys = new Set(
      await findUnnamedObjects(
        db,
        batch.map(({ key }) => key),
      ),
    )
    unnamed.push(...batch.flatMap(({ key, sizeBytes }) => (keys.has(key) ? [{ objectKey: key, sizeBytes }] : [])))
    batch = []
    onProgress({ step: 'objects', seen: objects, expected })
  }
  for await (const entry of store.list(ALL_OBJECTS)) {
    if (stop.aborted || unnamed.length >= MOST_FINDINGS) {
      break
    }
    objects += entry.key.startsWith(CHECK_OBJECTS) ? 0 : 1
    if (now - entry.modifiedAt.getTime() > YOUNG_MS && batch.push(entry) === BATCH) {
      await look()
    }
  }
  await look()
  return { objects, unnamed }
}

export interface RepairReport {
  /** Objects without a row. */
  readonly deleted: number
  readonly freedBytes: number
  /** Images whose bytes were found in the other store. */
  readonly restored: readonly string[]
  /** Images that answer 410 from now on. */
  readonly givenUp: readonly string[]
  /** Images whose bytes are nowhere, and that still promise them. */
  readonly left: readonly string[]
}

/** Mends what a report names; each finding is looked at once more before. */
export async function repairStore(
  db: Database,
  store: BlobStore,
  options: {
    report: StoreReport
    /** Where lost bytes may be as well. */
    other: BlobStore | undefined
    /** Marks images as removed whose bytes are nowhere. */
    isToGiveUp: boolean
    stop: AbortSignal
  },
): Promise<RepairReport> {
  const { report, other, isToGiveUp, stop } = options
  const { deleted, freedBytes } = await deleteUnnamed(db, store, report, stop)
  const restored: string[] = []
  const givenUp: string[] = []
  const left: string[] = []
  await inParallel(report.lost, { most: PARALLEL, stop }, async (image) => {
    if ((await readFault(store, image)) === undefined) {
      return
    }
    const bytes = await other?.read(image.objectKey)
    if (bytes !== undefined && sha256(bytes) === image.sha256) {
      await store.put(image.objectKey, bytes, image.contentType)
      restored.push(image.imageId)
    } else if (isToGiveUp) {
      if (await giveUpImage(db, image)) {
        givenUp.push(image.imageId)
      }
    } else {
      left.push(image.imageId)
    }
  })
  return { deleted, freedBytes, restored, givenUp, left }
}

async function deleteUnnamed(db: Database, store: BlobStore, { unnamed }: StoreReport, stop: AbortSignal) {
  let deleted = 0
  let freedBytes = 0
  for (let at = 0; at < unnamed.length && !stop.aborted; at += PARALLEL) {
    const some = unnamed.slice(at, at + PARALLEL)
    const still = new Set(
      await findUnnamedObjects(
        db,
        some.map(({ objectKey }) => objectKey),
      ),
    )
    await inParallel(some, { most: PARALLEL, stop }, async ({ objectKey, sizeBytes }) => {
      if (still.has(objectKey)) {
        await store.remove(objectKey)
        deleted += 1
        freedBytes += sizeBytes
      }
    })
  }
  return { deleted, freedBytes }
}
