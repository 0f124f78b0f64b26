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
export { createWebhook, deleteWebhook, findWebhook, listWebhooks, MOST_WEBHOOKS, type Webhook } from './webhooks.ts'
