import type {
  Account,
  AccountChange,
  AccountSummary,
  ApiKeySummary,
  KeyChange,
  KeyLimits,
  Plan,
  PlanChange,
  PlanSummary,
} from '@wombat/accounts'
import type { LedgerLine, LedgerReport, UsageFilter, UsageLine } from '@wombat/ledger'
import type { AuditEntry, AuditLine } from './audit.ts'
import type { CancelOutcome } from './cancel.ts'
import type { CreditOutcome, OpenedAccount, RetryOutcome, ShownAccount } from './operate.ts'
import type { ErasedAccount, ErasedImage } from './operate-erase.ts'
import type { ImageLine, ImageReport } from './operate-images.ts'
import type { PlanRemoval } from './operate-plans.ts'
import type { ResumeOutcome, RouteLine } from './operate-routes.ts'
import type { WebhookOperations } from './operate-webhooks.ts'
import type { Page, PageWish } from './pages.ts'

export interface AccountWish {
  readonly name: string
  readonly plan: string
  readonly credits: number
  readonly rateLimitPerMinute?: number | undefined
}

export interface KeyWish extends Partial<KeyLimits> {
  readonly accountId: string
  readonly name: string
  readonly expiresAt?: Date
  readonly rateLimitPerMinute?: number | null
}

export interface Booking {
  readonly accountId: string
  readonly kind: 'grant' | 'adjustment'
  readonly credits: number
  readonly ref: string | undefined
  readonly note: string | undefined
}

export interface ImageListWish extends PageWish {
  readonly accountId?: string | undefined
  readonly status?: string | undefined
  readonly model?: string | undefined
  readonly since?: Date | undefined
  readonly until?: Date | undefined
}

export interface EraseWish {
  readonly isToBeDisabled: boolean
  readonly stop: AbortSignal
  readonly onBatch: (erased: number) => void
}

/**
 * What an operator does, wherever the database is: the engine does it there, the command also through the admin API of a
 * distant server. Every change leaves an entry in the audit log. Undefined and false: there is no such thing.
 */
export interface Operations extends WebhookOperations {
  openAccount(wish: AccountWish): Promise<OpenedAccount | 'unknown plan'>
  listAccounts(page: PageWish): Promise<Page<AccountSummary>>
  showAccount(accountId: string): Promise<ShownAccount | undefined>
  changeAccount(accountId: string, change: AccountChange): Promise<Account | undefined | 'unknown plan'>
  setAccountDisabled(accountId: string, isDisabled: boolean): Promise<boolean>
  eraseAccount(accountId: string, wish: EraseWish): Promise<ErasedAccount | undefined>
  issueKey(wish: KeyWish): Promise<{ keyId: string; apiKey: string } | undefined>
  changeKey(keyId: string, change: KeyChange): Promise<ApiKeySummary | undefined>
  /** One that was revoked before stays so. */
  withdrawKey(keyId: string): Promise<boolean>
  listPlans(): Promise<readonly PlanSummary[]>
  findPlan(name: string): Promise<PlanSummary | undefined>
  /** Undefined: there is one of this name. */
  createPlan(plan: Plan): Promise<PlanSummary | undefined>
  changePlan(name: string, change: PlanChange): Promise<PlanSummary | undefined>
  removePlan(name: string): Promise<PlanRemoval>
  bookCredits(booking: Booking): Promise<CreditOutcome>
  listEntries(accountId: string, page: PageWish): Promise<Page<LedgerLine>>
  verifyLedger(): Promise<LedgerReport>
  listImages(wish: ImageListWish): Promise<Page<ImageLine>>
  showImage(imageId: string): Promise<ImageReport | undefined>
  retryImage(imageId: string): Promise<RetryOutcome>
  cancelImage(imageId: string): Promise<CancelOutcome>
  eraseImage(imageId: string): Promise<ErasedImage | undefined>
  sumUsage(filter: UsageFilter): Promise<UsageLine[]>
  listRoutes(): Promise<readonly RouteLine[]>
  resumeRoute(route: string): Promise<ResumeOutcome>
}

/** What only the admin API offers, or only a command on the database itself. */
export interface AdminOperations extends Operations {
  listKeys(accountId: string): Promise<readonly ApiKeySummary[] | undefined>
  listAudit(wish: PageWish & { actor?: string | undefined; subject?: string | undefined }): Promise<Page<AuditLine>>
  /** Leaves an entry of what was done already. */
  note(entry: AuditEntry): Promise<void>
}
