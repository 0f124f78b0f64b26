export type { AuthenticatedKey } from '@wombat/accounts'
export { sumUsage, type UsageFilter, type UsageGroup, type UsageLine } from '@wombat/ledger'
export type { Bootstrap } from './bootstrap.ts'
export { CONFIG_VARIABLES, type Config, ConfigError, readConfig } from './config.ts'
export { awaitImage } from './deliver.ts'
export { advanceDevClock, type DevClock, readDevClock } from './dev-clock.ts'
export { type Engine, openEngine, prepareDatabase } from './engine.ts'
export { createErrorLogger } from './error-logger.ts'
export {
  type DatabaseFacts,
  examineDatabase,
  examineProviders,
  findStoreFault,
  listServedModels,
  type ProviderFacts,
  type ServedModel,
} from './examine.ts'
export { checkHealth, type Health } from './health.ts'
export type { FoundImage, HotImage } from './image-cache.ts'
export { createLogger, describeError, type Logger } from './logger.ts'
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
  withdrawKey,
} from './operate.ts'
export { type ErasedAccount, type ErasedImage, type ErasureCounts, eraseAccount, eraseImage } from './operate-erase.ts'
export { type AttemptLine, type ImageLine, type ImageReport, listImages, showImage } from './operate-images.ts'
export { listRoutes, type ResumeOutcome, type RouteLine, resumeRoute } from './operate-routes.ts'
export { type ModelLine, type Overview, readOverview } from './operate-top.ts'
export { produceNext } from './produce.ts'
export { assertNotRefusedTooOften, imageUrl, type RequestAnswer, requestImages } from './request.ts'
export { removeExpired, startRetention, transcodeOriginals } from './retain.ts'
export { imageStatus, toErrorCode } from './status.ts'
export { startSweep } from './sweep.ts'
export { startWorker } from './worker.ts'
