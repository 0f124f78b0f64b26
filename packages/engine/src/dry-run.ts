import type { AuthenticatedKey } from '@wombat/accounts'
import { formatSize, type GenerationOrder } from '@wombat/contract'
import { matchReplay } from '@wombat/images'
import { type AcceptOutcome, findBalance, findBudgetExcess } from '@wombat/ledger'
import { actOut } from './act-out.ts'
import type { Engine } from './engine.ts'
import { assertMayRequest, fingerprint, refuse } from './request.ts'

/** What a POST would come to. */
export interface DryRun {
  readonly dryRun: true
  /** What it would cost: 0 for one that would be answered from its Idempotency-Key. */
  readonly credits: number
  readonly creditsPerImage: number
  /** The account's, now. */
  readonly balance: number
  readonly plan: string
  readonly model: string
  readonly size: string
  readonly quality: string
  readonly provider: string
  readonly ignoredParams: readonly string[]
}

/**
 * Checks a request as `requestImages` does, in the same order and with the same errors, but takes and writes nothing
 * and asks no upstream. What is granted here can still be refused later: the balance may be another by then.
 */
export async function priceRequest(
  engine: Engine,
  key: AuthenticatedKey,
  order: GenerationOrder,
  idempotencyKey: string | undefined,
): Promise<DryRun> {
  const idempotency = idempotencyKey === undefined ? undefined : fingerprint(order, idempotencyKey)
  const isSame = idempotency && (await matchReplay(engine.db, key.accountId, idempotency))
  const isReplay = isSame !== undefined
  if (!isReplay) {
    assertMayRequest(engine, key, order)
  }
  const price = order.creditsPerImage * order.numImages
  const wanted = order.simulation?.error
  const outcome =
    wanted === undefined
      ? await foresee(engine, key, price, isSame)
      : await actOut(engine, wanted, { accountId: key.accountId, price, isReplay })
  refuse(outcome, price)
  return {
    dryRun: true,
    credits: isReplay ? 0 : price,
    creditsPerImage: order.creditsPerImage,
    balance: outcome.balance,
    plan: key.plan.name,
    model: order.model,
    size: formatSize(order.size),
    quality: order.quality,
    provider: engine.models.find(order.model).routes[0]?.provider.name ?? 'none',
    ignoredParams: order.ignoredParams,
  }
}

/** What the transaction would say. */
async function foresee(
  engine: Engine,
  key: AuthenticatedKey,
  price: number,
  isSame: boolean | undefined,
): Promise<AcceptOutcome> {
  const balance = await findBalance(engine.db, key.accountId)
  if (isSame !== undefined) {
    return isSame ? { status: 'replay', balance, requestId: '' } : { status: 'conflict', balance }
  }
  const budget = key.hasBudget ? await findBudgetExcess(engine.db, key.keyId, price) : undefined
  if (budget !== undefined) {
    return { status: 'over budget', balance, budget }
  }
  return { status: balance < price ? 'insufficient' : 'accepted', balance }
}
