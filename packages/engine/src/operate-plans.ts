import { changeAccount, deletePlan, findPlan } from '@wombat/accounts'
import type { Database } from '@wombat/database'

/* What an operator does with plans, and with what accounts and keys may do. */

export {
  changeKey,
  changePlan,
  createPlan,
  findPlan,
  type KeyChange,
  type KeyLimits,
  listPlans,
  type Plan,
  type PlanChange,
  type PlanSummary,
  parseNetwork,
} from '@wombat/accounts'

export type PlanRemoval =
  | { readonly status: 'deleted' | 'unknown plan' }
  /** So many accounts are on it. */
  | { readonly status: 'in use'; readonly accounts: number }

/** Images that were ordered on it are kept as long as those of their account's plan from then on. */
export async function removePlan(db: Database, name: string): Promise<PlanRemoval> {
  if (await deletePlan(db, name)) {
    return { status: 'deleted' }
  }
  const plan = await findPlan(db, name)
  return plan === undefined ? { status: 'unknown plan' } : { status: 'in use', accounts: plan.accounts }
}

/** Null takes a limit away, and what is left out stays. */
export async function setAccount(
  db: Database,
  accountId: string,
  change: { plan?: string | undefined; rateLimitPerMinute?: number | null | undefined },
): Promise<'set' | 'unknown account' | 'unknown plan'> {
  if (change.plan !== undefined && (await findPlan(db, change.plan)) === undefined) {
    return 'unknown plan'
  }
  return (await changeAccount(db, accountId, change)) ? 'set' : 'unknown account'
}
