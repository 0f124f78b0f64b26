import type { Database } from '@wombat/database'
import { findOwnedImage } from '@wombat/images'
import { failImage } from '@wombat/ledger'

export type CancelOutcome =
  /** Its credits are back. */
  | 'cancelled'
  | 'cancelled before'
  /** A provider works on it, and is paid for that. */
  | 'being made'
  | 'ready'
  | 'failed'
  | 'removed'
  /** There is none, or it is another account's. */
  | 'unknown image'

const CODE = 'image_cancelled'
const MESSAGE = 'The image was cancelled before it was made.'
const TRIES = 3

/**
 * Calls off an image that waits, and gives its credits back in the same transaction. One that is being made is left
 * alone: its picture is ordered from the provider already. Without `accountId` it may be anybody's.
 */
export async function cancelImage(db: Database, imageId: string, accountId?: string): Promise<CancelOutcome> {
  // Whoever is quicker has it; then it is looked at again.
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const image = await findOwnedImage(db, imageId)
    if (image === undefined || (accountId !== undefined && image.accountId !== accountId)) {
      return 'unknown image'
    }
    if (image.status !== 'queued') {
      return outcomeOf(image.status, image.failureCode)
    }
    if (await failImage(db, { imageId, fence: undefined, code: CODE, message: MESSAGE })) {
      return 'cancelled'
    }
  }
  return 'being made'
}

function outcomeOf(
  status: 'generating' | 'ready' | 'failed' | 'removed',
  failureCode: string | null,
): Exclude<CancelOutcome, 'unknown image'> {
  if (status === 'generating') {
    return 'being made'
  }
  return failureCode === CODE ? 'cancelled before' : status
}
