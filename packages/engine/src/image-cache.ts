import type { Database, Listener } from '@wombat/database'
import { findImage, type ImageRow } from '@wombat/images'
import type { BlobStore } from '@wombat/store'
import { LRUCache } from 'lru-cache'
import type { CacheFigures } from './metrics.ts'
import { readAgain } from './read-again.ts'

/** A finished image with all that an answer needs. */
export interface HotImage {
  readonly id: string
  readonly objectKey: string
  readonly contentType: string
  readonly sizeBytes: number
  readonly etag: string
  readonly storedAtMs: number
  readonly lastModified: string
  readonly provider: string
  /** Undefined when it is too large to be kept in memory: stream it from the store. */
  readonly bytes: Buffer | undefined
}

export type FoundImage =
  | { readonly status: 'ready'; readonly image: HotImage }
  | { readonly status: 'pending'; readonly isOriginalPreserved: boolean }
  | { readonly status: 'failed'; readonly code: string; readonly message: string; readonly isRefunded: boolean }
  | { readonly status: 'unknown' }

/** Finished images in memory, bounded in bytes, the least used leave first. A change in any process drops its entry here. */
export interface ImageCache {
  /** From memory only, without waiting. */
  peek(imageId: string): HotImage | undefined
  /** From memory, or the row and the bytes. Concurrent calls for one image share the work. */
  find(imageId: string): Promise<FoundImage>
  /** Forgets everything. */
  clear(): void
  figures(): CacheFigures
}

/** What the function advance_dev_clock of the database notifies. */
const EVERY_IMAGE = '*'
/** Above this an image is streamed, so that a few large ones don't push all others out. */
const LARGEST_ENTRY_BYTES = 8 * 1024 * 1024
/** What an entry costs besides its bytes, roughly. */
const ENTRY_OVERHEAD_BYTES = 1024

export async function openImageCache(
  db: Database,
  store: BlobStore,
  listener: Listener,
  options: { maxBytes: number },
): Promise<ImageCache> {
  const cache = new LRUCache<string, HotImage>({
    maxSize: Math.max(1, options.maxBytes),
    sizeCalculation: (image) => (image.bytes?.length ?? 0) + ENTRY_OVERHEAD_BYTES,
  })
  const underWay = new Map<string, Promise<FoundImage>>()
  const counts = { hits: 0, misses: 0 }
  const peek = (imageId: string) => countHit(cache.get(imageId), counts)

  function clear() {
    cache.clear()
    underWay.clear()
  }

  function drop(imageId: string) {
    if (imageId === EVERY_IMAGE) {
      clear()
    }
    cache.delete(imageId)
    // What is being read now may be the state before the change: later callers must read again.
    underWay.delete(imageId)
  }
  await listener.subscribe('wombat_image', drop)
  listener.onGap(clear)

  async function load(imageId: string): Promise<FoundImage> {
    // An object can be replaced between the row and the bytes; its row then names the new one.
    for (let tries = 0; tries < 3; tries += 1) {
      const row = await readAgain(() => findImage(db, imageId))
      const found = classify(row)
      if (row === undefined || row.objectKey === null || found !== undefined) {
        return found ?? { status: 'unknown' }
      }
      const isLarge = (row.sizeBytes ?? 0) > LARGEST_ENTRY_BYTES
      counts.misses += 1
      const bytes = isLarge ? undefined : await store.read(row.objectKey)
      if (isLarge || bytes !== undefined) {
        return { status: 'ready', image: toHotImage(row, row.objectKey, bytes) }
      }
    }
    throw new Error(`the object of image ${imageId} is missing in the store`)
  }

  return {
    peek,
    find(imageId) {
      const hot = peek(imageId)
      if (hot !== undefined) {
        return Promise.resolve({ status: 'ready', image: hot })
      }
      const known = underWay.get(imageId)
      if (known !== undefined) {
        return known
      }
      const loading: Promise<FoundImage> = load(imageId).then((found) => {
        // Only what no notification has overtaken is kept.
        if (found.status === 'ready' && found.image.bytes !== undefined && underWay.get(imageId) === loading) {
          cache.set(imageId, found.image)
        }
        return found
      })
      underWay.set(imageId, loading)
      const forget = () => {
        if (underWay.get(imageId) === loading) {
          underWay.delete(imageId)
        }
      }
      loading.then(forget, forget)
      return loading
    },
    clear,
    figures: () => ({ ...counts, entries: cache.size, bytes: cache.calculatedSize }),
  }
}

function countHit(hot: HotImage | undefined, counts: { hits: number }): HotImage | undefined {
  counts.hits += hot === undefined ? 0 : 1
  return hot
}

/** Undefined for a ready image: its bytes are still to be read. */
function classify(row: ImageRow | undefined): FoundImage | undefined {
  if (row === undefined) {
    return { status: 'unknown' }
  }
  switch (row.status) {
    case 'queued':
    case 'generating':
      return { status: 'pending', isOriginalPreserved: row.isOriginalPreserved }
    case 'failed':
    case 'removed':
      return {
        status: 'failed',
        code: row.failureCode ?? 'generation_failed',
        message: row.failureMessage ?? '',
        isRefunded: row.status === 'failed',
      }
    case 'ready':
      return undefined
  }
}

function toHotImage(row: ImageRow, objectKey: string, bytes: Buffer | undefined): HotImage {
  const storedAtMs = row.storedAt?.getTime() ?? 0
  return {
    id: row.id,
    objectKey,
    contentType: row.contentType ?? 'application/octet-stream',
    sizeBytes: row.sizeBytes ?? 0,
    etag: `"${row.sha256}"`,
    storedAtMs,
    lastModified: new Date(storedAtMs).toUTCString(),
    provider: row.provider ?? '',
    bytes,
  }
}
