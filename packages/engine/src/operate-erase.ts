import { findAccount, setAccountDisabled } from '@wombat/accounts'
import type { Database } from '@wombat/database'
import { type ErasableRequest, type Erasure, eraseImage as erase, listErasable } from '@wombat/images'

/** What became of the erased images: see Erasure. */
export type ErasureCounts = Readonly<Record<Erasure, number>>

export interface ErasedImage {
  readonly done: Erasure
  /** False: another image of the request still needs the prompt and all that came with it. */
  readonly isPromptErased: boolean
}

/** Undefined when there is no such image. The bytes are deleted by a server's next sweep. */
export async function eraseImage(db: Database, imageId: string): Promise<ErasedImage | undefined> {
  const done = await erase(db, imageId)
  if (done === undefined) {
    return undefined
  }
  const needed = await db.prisma.image.count({
    where: { status: { in: ['queued', 'generating', 'ready'] }, request: { images: { some: { id: imageId } } } },
  })
  return { done, isPromptErased: needed === 0 }
}

export interface ErasedAccount {
  readonly counts: ErasureCounts
  /** False: it was told to stop before the end. What was erased stays so, and a second run does the rest. */
  readonly isComplete: boolean
  readonly isDisabled: boolean
}

const BATCH = 100

/**
 * Erases all images of an account with their prompts, one after the other, each in a transaction of its own, oldest first.
 * The account, its keys and its ledger stay. With `isToBeDisabled` it can order nothing any more before the first is
 * erased; else what it orders at the end may be left.
 */
export async function eraseAccount(
  db: Database,
  accountId: string,
  options: { isToBeDisabled: boolean; stop: AbortSignal; onBatch: (erased: number) => void },
): Promise<ErasedAccount | undefined> {
  const account = await findAccount(db, accountId)
  if (account === undefined) {
    return undefined
  }
  const isDisabled = account.disabledAt !== null || options.isToBeDisabled
  if (account.disabledAt === null && options.isToBeDisabled) {
    await setAccountDisabled(db, accountId, true)
  }
  const counts = { refunded: 0, removed: 0, forgotten: 0 }
  let after: ErasableRequest | undefined
  let erased = 0
  for (;;) {
    const batch = await listErasable(db, { accountId, after, limit: BATCH })
    for (const imageId of batch.flatMap(({ imageIds }) => imageIds)) {
      if (options.stop.aborted) {
        return { counts, isComplete: false, isDisabled }
      }
      const done = await erase(db, imageId)
      if (done !== undefined) {
        counts[done] += 1
      }
      erased += 1
    }
    after = batch.at(-1)
    if (batch.length < BATCH) {
      return { counts, isComplete: true, isDisabled }
    }
    options.onBatch(erased)
  }
}
