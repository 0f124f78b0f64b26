export {
  type Account,
  type AccountSummary,
  createAccount,
  findAccount,
  findBootstrapAccount,
  isFirstStart,
  listAccounts,
  setAccountDisabled,
} from './accounts.ts'
export {
  type ApiKeySummary,
  type AuthenticatedKey,
  createKey,
  findKey,
  hashKey,
  isKnownKey,
  listKeys,
  revokeKey,
} from './api-keys.ts'
export {
  type AccountChange,
  changeAccount,
  changeKey,
  type KeyChange,
  type KeyDetails,
  type KeyLimits,
  listAccountsAfter,
  listKeyDetails,
  type Position,
} from './changes.ts'
export {
  changePlan,
  createPlan,
  findPlan,
  listPlans,
  type PlanRemoval,
  type PlanRow,
  type PlanWish,
  removePlan,
} from './plans.ts'
