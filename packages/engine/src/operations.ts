import type {
  Account,
  AccountChange,
  AccountSummary,
  KeyChange,
  KeyDetails,
  PlanRemoval,
  PlanRow,
  PlanWish,
} from '@wombat/accounts'
import type { LedgerLine, LedgerReport, UsageFilter, UsageLine } from '@wombat/ledger'
import type { AuditLine } from './audit.ts'
import type { CreditOutcome, OpenedAccount, RetryOutcome, ShownAccount } from './operate.ts'
import type { ErasedAccount, ErasedImage } from './operate-erase.ts'
import type { ImageLine, ImageReport } from './operate-images.ts'
import type { ResumeOutcome, RouteLine } from './operate-routes.ts'
import type { Page, PageWish } from './pages.ts'

export interface AccountWish {
  readonly name: string
  readonly plan: string
  readonly credits: number
  readonly rateLimitPerMinute?: number | undefined
}

export interface KeyWish extends KeyChange {
  readonly accountId: string
  readonly name: string
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
export interface Operations {
  openAccount(wish: AccountWish): Promise<OpenedAccount | 'unknown plan'>
  listAccounts(page: PageWish): Promise<Page<AccountSummary>>
  showAccount(accountId: string): Promise<ShownAccount | undefined>
  setAccountDisabled(accountId: string, isDisabled: boolean): Promise<boolean>
  eraseAccount(accountId: string, wish: EraseWish): Promise<ErasedAccount | undefined>
  issueKey(wish: KeyWish): Promise<{ keyId: string; apiKey: string } | undefined>
  /** One that was revoked before stays so. */
  withdrawKey(keyId: string): Promise<boolean>
  bookCredits(booking: Booking): Promise<CreditOutcome>
  listEntries(accountId: string, page: PageWish): Promise<Page<LedgerLine>>
  verifyLedger(): Promise<LedgerReport>
  listImages(wish: ImageListWish): Promise<Page<ImageLine>>
  showImage(imageId: string): Promise<ImageReport | undefined>
  retryImage(imageId: string): Promise<RetryOutcome>
  eraseImage(imageId: string): Promise<ErasedImage | undefined>
  sumUsage(filter: UsageFilter): Promise<UsageLine[]>
  listRoutes(): Promise<readonly RouteLine[]>
  resumeRoute(route: string): Promise<ResumeOutcome>
}

/** What only the admin API offers. */
export interface AdminOperations extends Operations {
  changeAccount(accountId: string, change: AccountChange): Promise<Account | undefined | 'unknown plan'>
  listKeys(accountId: string): Promise<readonly KeyDetails[] | undefined>
  changeKey(keyId: string, change: KeyChange): Promise<KeyDetails | undefined>
  listPlans(): Promise<readonly PlanRow[]>
  findPlan(name: string): Promise<PlanRow | undefined>
  /** Undefined: there is one of this name. */
  createPlan(name: string, wish: PlanWish): Promise<PlanRow | undefined>
  changePlan(name: string, change: Partial<PlanWish>): Promise<PlanRow | undefined>
  removePlan(name: string): Promise<PlanRemoval>
  listAudit(wish: PageWish & { actor?: string | undefined; subject?: string | undefined }): Promise<Page<AuditLine>>
}
