import { ApiError, type PostError } from '@wombat/contract'
import { type AcceptOutcome, findBalance } from '@wombat/ledger'
import type { Engine } from './engine.ts'

/**
 * Ends a POST with the error that it asks for, in place of the transaction: nothing is charged and nothing kept. Errors
 * that stand earlier in the order of the contract have been thrown before.
 */
export async function actOut(
  engine: Engine,
  error: PostError,
  request: { accountId: string; price: number; isReplay: boolean },
): Promise<AcceptOutcome> {
  const balance = await findBalance(engine.db, request.accountId)
  // A key that is known was used without this error, for such a request is never kept.
  if (request.isReplay || error === 'idempotency_conflict') {
    return { status: 'conflict', balance }
  }
  if (error === 'insufficient_credits') {
    return { status: 'insufficient', balance: Math.min(balance, request.price - 1) }
  }
  const retryAfterSeconds = 2 + Math.floor(Math.random() * 8)
  if (error === 'overloaded') {
    throw new ApiError('overloaded', 'The server has more work than it can take. Try again in a moment.', {
      retryAfterSeconds,
    })
  }
  if (error === 'shutting_down') {
    throw new ApiError('shutting_down', 'The server is restarting. Try again in a moment.', { retryAfterSeconds: 2 })
  }
  // As any fault of ours: logged, and answered without details.
  throw new Error(`simulated: ${error}`)
}
