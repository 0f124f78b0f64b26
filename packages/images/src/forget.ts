import type { Database, Statement } from '@wombat/database'

const FORGET: Statement = { name: 'forget-images', text: 'SELECT forget_images($1, $2) AS images' }

/**
 * Deletes the rows of a batch of images that failed or were removed, and were ordered so long ago: they, their calls, and
 * requests that nothing is left of. The ledger keeps its entries. Answers how many images.
 */
export async function forgetImages(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<number> {
  const [row] = await db.run<{ images: number }>(FORGET, [options.olderThanSeconds, options.limit])
  return row?.images ?? 0
}
