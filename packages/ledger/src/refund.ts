import type { Database, Statement } from '@wombat/database'

const FAIL: Statement = { name: 'fail-image', text: 'SELECT fail_image($1, $2, $3, $4) AS is_failed' }

/**
 * Fails an image for good and gives its credits back in the same transaction. `fence` is the holder's token, or
 * undefined for an image that nobody holds. False means that the image has moved on: nothing was done.
 */
export async function failImage(
  db: Database,
  failure: { imageId: string; fence: number | undefined; code: string; message: string },
): Promise<boolean> {
  const [row] = await db.run<{ is_failed: boolean }>(FAIL, [
    failure.imageId,
    failure.fence ?? null,
    failure.code,
    failure.message,
  ])
  return row?.is_failed === true
}

const CHARGE: Statement = {
  name: 'find-charge',
  text: `SELECT -e.amount AS credits, i.model FROM ledger_entries e JOIN images i ON i.id = e.ref
         WHERE e.kind = 'charge' AND e.ref = $1`,
}

/** What an image cost, which is what its failure gives back. */
export async function findCharge(
  db: Database,
  imageId: string,
): Promise<{ credits: number; model: string } | undefined> {
  const [row] = await db.run<{ credits: number; model: string }>(CHARGE, [imageId])
  return row
}
