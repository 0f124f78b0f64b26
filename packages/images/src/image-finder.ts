import type { Database } from '@wombat/database'
import { findImages, type ImageRow } from './rows.ts'

/** Finds the row of an image, as it is at the call or later. */
export type ImageFinder = (imageId: string) => Promise<ImageRow | undefined>

const MOST_PER_STATEMENT = 500
/** Two, so that one is on its way while the other is computed. */
const STATEMENTS_AT_ONCE = 2

/**
 * Gathers what is asked while a statement is under way into the next one: many who begin to wait together cost a few
 * statements, not one each. No timer: who asks alone is answered at once.
 */
export function openImageFinder(db: Database): ImageFinder {
  const waiting = new Map<string, PromiseWithResolvers<ImageRow | undefined>>()
  let running = 0

  function pump() {
    while (running < STATEMENTS_AT_ONCE && waiting.size > 0) {
      const batch = new Map([...waiting].slice(0, MOST_PER_STATEMENT))
      for (const imageId of batch.keys()) {
        waiting.delete(imageId)
      }
      running += 1
      void settle(db, batch).finally(() => {
        running -= 1
        pump()
      })
    }
  }

  return (imageId) => {
    const known = waiting.get(imageId)
    if (known !== undefined) {
      return known.promise
    }
    const answer = Promise.withResolvers<ImageRow | undefined>()
    waiting.set(imageId, answer)
    // After the present tick, so that those who ask together are asked for together.
    if (waiting.size === 1 && running < STATEMENTS_AT_ONCE) {
      setImmediate(pump)
    }
    return answer.promise
  }
}

/** Never rejects: each who waits gets the row or the error. */
async function settle(
  db: Database,
  batch: ReadonlyMap<string, PromiseWithResolvers<ImageRow | undefined>>,
): Promise<void> {
  try {
    const rows = new Map((await findImages(db, [...batch.keys()])).map((row) => [row.id, row]))
    for (const [imageId, { resolve }] of batch) {
      resolve(rows.get(imageId))
    }
  } catch (error) {
    for (const { reject } of batch.values()) {
      reject(error)
    }
  }
}
