import {
  adoptImages,
  encodeImage,
  expireImages,
  findOriginals,
  findPromisedSize,
  replaceOriginal,
} from '@wombat/images'
import type { Config } from './config.ts'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { listRetentions } from './plans.ts'

const BATCH = 50
/** Objects that are missing or damaged must not keep the others from their turn. */
const MOST_FAILED = 1000
/** A reader of the PNG may still be under way when the row already names the JPEG. */
const REMOVE_AFTER_SECONDS = 15 * 60

/** How often to look: a setting of seconds must not wait for minutes. */
export function retentionIntervalMs({ RETAIN_ORIGINALS_DAYS, DELETE_IMAGES_DAYS }: Config): number {
  const limits = [RETAIN_ORIGINALS_DAYS, ...Object.values(DELETE_IMAGES_DAYS).filter((days) => days !== undefined)]
  return Math.min(600_000, Math.max(1_000, Math.min(...limits) * 86_400))
}

/** Turns preserved PNGs into JPEGs, and deletes images, once their time is over. */
export async function retain(engine: Engine, signal: AbortSignal): Promise<void> {
  await removeExpired(engine, signal)
  await transcodeOriginals(engine, signal)
}

/**
 * Removes the images of each plan that are older than it keeps them; their rows stay, and their addresses answer 410.
 * Answers how many.
 */
export async function removeExpired(engine: Engine, signal: AbortSignal): Promise<number> {
  let removed = 0
  while ((await adoptImages(engine.db, BATCH)) === BATCH && !signal.aborted) {
    // Images of plans that were deleted: they are kept as long as those of their account's plan.
  }
  for (const { plan, days } of await listRetentions(engine)) {
    let batch: number
    do {
      batch = await expireImages(engine.db, {
        plan,
        olderThanSeconds: days * 86_400,
        limit: BATCH,
        removeAfterSeconds: REMOVE_AFTER_SECONDS,
      })
      removed += batch
    } while (batch === BATCH && !signal.aborted)
  }
  if (removed > 0) {
    engine.log.info({ images: removed }, 'images past their retention were removed')
  }
  return removed
}

/**
 * One after the other: the new object first, under a key that depends only on the old one, then one UPDATE, and the
 * old object later. A kill between any two steps leaves an image that is served, and the next run does the rest.
 * Answers how many were turned.
 */
export async function transcodeOriginals(engine: Engine, signal: AbortSignal): Promise<number> {
  const failed: string[] = []
  let turned = 0
  for (;;) {
    const originals = await findOriginals(engine.db, {
      olderThanSeconds: engine.config.RETAIN_ORIGINALS_DAYS * 86_400,
      limit: BATCH,
      except: failed,
    })
    for (const original of originals) {
      if (signal.aborted) {
        return turned
      }
      try {
        turned += (await transcodeOne(engine, original)) ? 1 : 0
      } catch (error) {
        failed.push(original.imageId)
        engine.log.error({ imageId: original.imageId, err: describeError(error) }, 'original could not be transcoded')
      }
    }
    if (originals.length === 0 || failed.length >= MOST_FAILED) {
      return turned
    }
  }
}

async function transcodeOne(engine: Engine, original: { imageId: string; objectKey: string }): Promise<boolean> {
  const png = await engine.store.read(original.objectKey)
  const size = await findPromisedSize(engine.db, original.imageId)
  if (png === undefined || size === undefined) {
    throw new Error(`the object ${original.objectKey} is missing in the store`)
  }
  const jpeg = await encodeImage(png, { ...size, isOriginalPreserved: false })
  const to = original.objectKey.replace(/\.png$/, '-transcoded.jpg')
  await engine.store.put(to, jpeg.bytes, jpeg.contentType)
  const isReplaced = await replaceOriginal(engine.db, {
    imageId: original.imageId,
    from: original.objectKey,
    to,
    sizeBytes: jpeg.bytes.length,
    sha256: jpeg.sha256,
    removeAfterSeconds: REMOVE_AFTER_SECONDS,
  })
  if (isReplaced) {
    engine.log.info({ imageId: original.imageId, bytes: jpeg.bytes.length }, 'original transcoded')
  }
  return isReplaced
}
