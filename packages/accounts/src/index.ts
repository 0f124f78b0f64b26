export {
  type Account,
  type AccountChange,
  type AccountSummary,
  changeAccount,
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
  findKeySummary,
  hashKey,
  isKnownKey,
  listKeys,
  revokeKey,
} from './api-keys.ts'
export { changeKey, type KeyChange, type KeyLimits } from './key-limits.ts'
export { parseNetwork } from './networks.ts'
export {
  changePlan,
  createPlan,
  deletePlan,
  findPlan,
  listPlans,
  type Plan,
  type PlanChange,
  type PlanSummary,
} from './plans.ts'
export {
  changeSecret,
  createWebhook,
  deleteWebhook,
  findSecrets,
  findWebhook,
  forgetFormerSecrets,
  listWebhooks,
  MOST_FORMER_SECRETS,
  MOST_WEBHOOKS,
  moveWebhook,
  setWebhookDisabled,
  type Webhook,
} from './webhooks.ts'
