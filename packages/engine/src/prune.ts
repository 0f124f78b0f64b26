import { forgetImages, pruneDeliveries, removeOldIdempotencyKeys } from '@wombat/images'
import { removeOldSpending } from '@wombat/ledger'
import type { Engine } from './engine.ts'

export const PRUNE_INTERVAL_MS = 600_000
/** Small, so that no statement holds rows for long. */
const BATCH = 500
const DAY_SECONDS = 86_400

/**
 * Deletes rows that nobody needs any more, oldest first and in batches, each a transaction of its own: whoever stops in
 * between has done part of it, and the next run goes on. Several processes at once only share the work.
 */
export async function pruneOnce(engine: Engine, signal: AbortSignal): Promise<void> {
  const { db, config } = engine
  await inBatches(() => removeOldIdempotencyKeys(db, BATCH), signal)
  await inBatches(() => removeOldSpending(db, BATCH), signal)
  const { DELETE_DELIVERIES_DAYS: deliveryDays, DELETE_RECORDS_DAYS: recordDays } = config
  if (deliveryDays !== undefined) {
    await inBatches(() => pruneDeliveries(db, { olderThanSeconds: deliveryDays * DAY_SECONDS, limit: BATCH }), signal)
  }
  if (recordDays !== undefined) {
    const forgotten = await inBatches(
      () => forgetImages(db, { olderThanSeconds: recordDays * DAY_SECONDS, limit: BATCH }),
      signal,
    )
    if (forgotten > 0) {
      engine.log.info({ images: forgotten }, 'records of old images were deleted')
    }
  }
}

/** Until a batch is not full; answers how many in all. */
async function inBatches(next: () => Promise<number>, signal: AbortSignal): Promise<number> {
  let all = 0
  let batch: number
  do {
    batch = await next()
    all += batch
  } while (batch >= BATCH && !signal.aborted)
  return all
}
