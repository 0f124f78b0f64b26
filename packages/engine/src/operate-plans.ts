import { type AccountChange, changeAccount, deletePlan, findPlan, type KeyLimits, parseNetwork } from '@wombat/accounts'
import { isModelId, MODELS, QUALITY_NAMES, SIZE_NAMES } from '@wombat/contract'
import type { Database } from '@wombat/database'

/* What an operator does with plans, and with what accounts and keys may do. */

export {
  changeKey,
  changePlan,
  createPlan,
  findKeySummary,
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
  /** It is one of the two that were there from the start, and stay: accounts are opened on them. */
  | { readonly status: 'built in' }
  /** So many accounts are on it. */
  | { readonly status: 'in use'; readonly accounts: number }

const BUILT_IN = ['basic', 'professional']

/**
 * Images that were ordered on it are kept as long as those of their account's plan from then on. `remove` deletes its
 * row when no account is on it.
 */
export async function removePlan(
  db: Database,
  name: string,
  remove: () => Promise<boolean> = () => deletePlan(db, name),
): Promise<PlanRemoval> {
  if (BUILT_IN.includes(name)) {
    return { status: 'built in' }
  }
  if (await remove()) {
    return { status: 'deleted' }
  }
  const plan = await findPlan(db, name)
  return plan === undefined ? { status: 'unknown plan' } : { status: 'in use', accounts: plan.accounts }
}

/** Null takes a limit away, and what is left out stays. */
export async function setAccount(
  db: Database,
  accountId: string,
  change: AccountChange,
): Promise<'set' | 'unknown account' | 'unknown plan'> {
  if (change.plan !== undefined && (await findPlan(db, change.plan)) === undefined) {
    return 'unknown plan'
  }
  return (await changeAccount(db, accountId, change)) ? 'set' : 'unknown account'
}

/** What in the lists of a key or plan nothing could ever match, a sentence for each word. */
export function findUnknownWords(
  limits: { readonly [Field in keyof KeyLimits]?: KeyLimits[Field] | undefined },
): string[] {
  const { allowedModels = [], allowedQualities = [], allowedSizes = [], allowedNetworks = [] } = limits
  const unknown = (words: readonly string[], isKnown: (word: string) => boolean, why: string) =>
    words.filter((word) => !isKnown(word)).map((word) => `"${word}" is ${why}`)
  return [
    ...unknown(allowedModels, isModelId, `no model: they are ${MODELS.map(({ id }) => id).join(', ')}`),
    ...unknown(
      allowedQualities,
      (word) => QUALITY_NAMES.includes(word),
      `no quality: they are ${QUALITY_NAMES.join(', ')}`,
    ),
    ...unknown(
      allowedSizes,
      (word) => SIZE_NAMES.includes(word),
      `no size that is made: they are ${SIZE_NAMES.join(', ')}`,
    ),
    ...unknown(
      allowedNetworks,
      (word) => parseNetwork(word) !== undefined,
      'no network: it takes one such as 10.0.0.0/8, 2001:db8::/32 or an address',
    ),
  ]
}
