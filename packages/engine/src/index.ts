export type { AccountChange, AuthenticatedKey, Plan, PlanChange, PlanSummary } from '@wombat/accounts'
export { type NamedGroup, sumUsage, type UsageFilter, type UsageGroup, type UsageLine } from '@wombat/ledger'
export type { AuditLine } from './audit.ts'
export type { Bootstrap } from './bootstrap.ts'
export { type CancelOutcome, cancelImage } from './cancel.ts'
export { CONFIG_VARIABLES, type Config, ConfigError, readConfig } from './config.ts'
export type { Count, Counters } from './counters.ts'
export { awaitImage } from './deliver.ts'
export { advanceDevClock, type DevClock, readDevClock } from './dev-clock.ts'
export { type DryRun, priceRequest } from './dry-run.ts'
export { type Engine, openEngine, prepareDatabase } from './engine.ts'
export { createErrorLogger } from './error-logger.ts'
export {
  type DatabaseFacts,
  examineDatabase,
  examineProviders,
  examineQueue,
  examineStore,
  listServedModels,
  type ProviderFacts,
  type ServedModel,
} from './examine.ts'
export { checkHealth, type Health } from './health.ts'
export type { FoundImage, HotImage } from './image-cache.ts'
export { assertAddressAllowed } from './key-limits.ts'
export { createLogger, describeError, type Logger } from './logger.ts'
export { openOperations } from './open-operations.ts'
export { openNamedStore, openStore, type StoreName, storeName } from './open-store.ts'
export {
  type Account,
  type AccountSummary,
  type ApiKeySummary,
  bookCredits,
  type CreditOutcome,
  type Database,
  DatabaseUnreachableError,
  findMainAccount,
  issueKey,
  type LedgerFault,
  type LedgerLine,
  type LedgerReport,
  listAccounts,
  listEntries,
  listKeys,
  type OpenedAccount,
  type Operator,
  openAccount,
  openOperator,
  type RetryOutcome,
  reachDatabase,
  retryImage,
  type ShownAccount,
  setAccountDisabled,
  showAccount,
  toImageId,
  verifyLedger,
  withClient,
  withdrawKey,
} from './operate.ts'
export { type ErasedAccount, type ErasedImage, type ErasureCounts, eraseAccount, eraseImage } from './operate-erase.ts'
export { type AttemptLine, type ImageLine, type ImageReport, listImages, showImage } from './operate-images.ts'
export { findUnknownWords, type KeyChange, type KeyLimits, type PlanRemoval } from './operate-plans.ts'
export { listRoutes, type ResumeOutcome, type RouteLine, resumeRoute } from './operate-routes.ts'
export { type CopyProgress, type CopyReport, copyStore, type UncopiedObject } from './operate-store.ts'
export {
  type LostImage,
  type RepairReport,
  repairStore,
  type StoreReport,
  verifyStore,
} from './operate-store-verify.ts'
export { type ModelLine, type Overview, readOverview } from './operate-top.ts'
export type {
  BadUrl,
  DeliveryLine,
  SecretOutcome,
  Webhook,
  WebhookChange,
  WebhookOperations,
  WebhookOutcome,
  WebhookTest,
} from './operate-webhooks.ts'
export type {
  AccountWish,
  AdminOperations,
  Booking,
  EraseWish,
  ImageListWish,
  KeyWish,
  Operations,
} from './operations.ts'
export type { Page, PageWish } from './pages.ts'
export { produceNext } from './produce.ts'
export { pruneOnce } from './prune.ts'
export { assertNotRefusedTooOften, imageUrl, type RequestAnswer, requestImages } from './request.ts'
export { removeExpired, transcodeOriginals } from './retain.ts'
export { startScheduler } from './scheduler.ts'
export { hasOtherServers } from './servers.ts'
export { imageStatus, toErrorCode } from './status.ts'
export { sweepOnce } from './sweep.ts'
export { formatUsd, sumFigures, type UsageFigures, usageCsv, usageFigures, usageLabels } from './usage-report.ts'
export { startWebhooks } from './webhooks.ts'
export { startWorker } from './worker.ts'
