import { findCharge } from '@wombat/ledger'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'

/** Counts an image that was just failed and refunded. It never throws: nothing hangs on a figure. */
export async function countFailure(engine: Engine, imageId: string, code: string): Promise<void> {
  try {
    const charge = await findCharge(engine.db, imageId)
    if (charge !== undefined) {
      engine.metrics.countFailed({ ...charge, code })
    }
  } catch (error) {
    engine.log.debug({ imageId, err: describeError(error) }, 'a failed image could not be counted')
  }
}
