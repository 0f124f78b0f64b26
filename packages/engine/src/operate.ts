import { randomUUID } from 'node:crypto'
import {
  type Account,
  type ApiKeySummary,
  createAccount,
  createKey,
  findAccount,
  findBootstrapAccount,
  type KeyLimits,
  listAccounts,
  listKeys,
  revokeKey,
} from '@wombat/accounts'
import { parseImageName } from '@wombat/contract'
import { type Database, migrate, openDatabase, type Statement } from '@wombat/database'
import { retryNow } from '@wombat/images'
import { changeBalance } from '@wombat/ledger'

/*
 * What an operator does, for the command line. Each takes a database that `openOperator` has opened; a server may be
 * at work on it.
 */

export {
  type Account,
  type AccountSummary,
  type ApiKeySummary,
  listAccounts,
  listKeys,
  setAccountDisabled,
} from '@wombat/accounts'
export { type Database, withClient } from '@wombat/database'
export { type LedgerFault, type LedgerLine, type LedgerReport, listEntries, verifyLedger } from '@wombat/ledger'

export interface Operator {
  readonly db: Database
  close(): Promise<void>
}

/** The database doesn't let us in. Its message says why, without the password. */
export class DatabaseUnreachableError extends Error {
  override readonly name = 'DatabaseUnreachableError'
}

const REACH: Statement = { name: 'reach', text: 'SELECT 1' }

/** Opens a database and brings it up to this version, but makes no account: that is for the first start. */
export async function openOperator(url: string): Promise<Operator> {
  const db = openDatabase({ url, poolSize: 2, applicationName: 'wombat cli', onError: () => {} })
  try {
    await reach(db)
    await migrate(url)
  } catch (error) {
    await db.close()
    throw error
  }
  return { db, close: () => db.close() }
}

/** Throws DatabaseUnreachableError when a statement can't be run. */
export async function reachDatabase(url: string): Promise<void> {
  const db = openDatabase({ url, poolSize: 1, applicationName: 'wombat cli', onError: () => {} })
  try {
    await reach(db)
  } finally {
    await db.close()
  }
}

async function reach(db: Database): Promise<void> {
  try {
    await db.run(REACH, [])
  } catch (error) {
    throw new DatabaseUnreachableError(reasonOf(error), { cause: error })
  }
}

/** Node gathers the failures of a name with several addresses under an empty message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) {
    return error.errors.map(reasonOf).join(', ')
  }
  return error instanceof Error ? error.message : String(error)
}

export interface OpenedAccount {
  readonly account: Account
  readonly keyId: string
  readonly apiKey: string
}

/** An account with credits and a key, on a plan that exists; the key comes last, so that what a kill leaves half made can spend nothing. */
export async function openAccount(
  db: Database,
  wish: { name: string; plan: string; credits: number; rateLimitPerMinute?: number | undefined },
): Promise<OpenedAccount> {
  const account = await createAccount(db, wish)
  let { balance } = account
  if (wish.credits > 0) {
    const ref = `opening ${account.id}`
    const granted = await changeBalance(db, {
      accountId: account.id,
      kind: 'grant',
      credits: wish.credits,
      ref,
      note: 'opening',
    })
    balance = granted.status === 'insufficient' ? balance : granted.balance
  }
  const { keyId, apiKey } = await createKey(db, { accountId: account.id, name: 'first key' })
  return { account: { ...account, balance }, keyId, apiKey }
}

export interface ShownAccount {
  readonly account: Account
  readonly keys: readonly ApiKeySummary[]
}

/** Undefined when there is no such account. */
export async function showAccount(db: Database, accountId: string): Promise<ShownAccount | undefined> {
  const account = await findAccount(db, accountId)
  return account === undefined ? undefined : { account, keys: await listKeys(db, accountId) }
}

/** The account that somebody means who names none: the first start's, or the only one. */
export async function findMainAccount(db: Database): Promise<Account | undefined> {
  const accounts = await listAccounts(db, 2)
  return (await findBootstrapAccount(db)) ?? (accounts.length === 1 ? accounts[0] : undefined)
}

/** Undefined when there is no such account. */
export async function issueKey(
  db: Database,
  wish: {
    accountId: string
    name: string
    expiresAt?: Date | undefined
    rateLimitPerMinute?: number | undefined
    limits?: Partial<KeyLimits> | undefined
  },
): Promise<{ keyId: string; apiKey: string } | undefined> {
  if ((await findAccount(db, wish.accountId)) === undefined) {
    return undefined
  }
  const { expiresAt, ...rest } = wish
  return await createKey(db, { ...rest, ...(expiresAt === undefined ? {} : { expiresAt }) })
}

/** False: there is no such key. One that was revoked before stays so. */
export async function withdrawKey(db: Database, keyId: string): Promise<boolean> {
  return (await revokeKey(db, keyId)) || (await db.prisma.apiKey.count({ where: { id: keyId } })) > 0
}

export type CreditOutcome =
  /** `isRepeated`: the same ref was booked before, and nothing was changed now. */
  | { readonly status: 'booked'; readonly balance: number; readonly ref: string; readonly isRepeated: boolean }
  | { readonly status: 'insufficient'; readonly balance: number }
  | { readonly status: 'ref used' | 'too large' | 'unknown account' }

/** Books a grant or an adjustment, or says why it can't be. */
export async function bookCredits(
  db: Database,
  booking: {
    accountId: string
    kind: 'grant' | 'adjustment'
    credits: number
    ref: string | undefined
    note: string | undefined
  },
): Promise<CreditOutcome> {
  const account = await findAccount(db, booking.accountId)
  if (account === undefined) {
    return { status: 'unknown account' }
  }
  try {
    const change = await changeBalance(db, { ...booking, ref: booking.ref ?? randomUUID() })
    return change.status === 'insufficient'
      ? { status: 'insufficient', balance: account.balance }
      : { status: 'booked', balance: change.balance, ref: change.ref, isRepeated: change.status === 'repeated' }
  } catch (error) {
    const state = error instanceof Error && 'code' in error ? error.code : undefined
    if (state === UNIQUE_VIOLATION) {
      return { status: 'ref used' }
    }
    if (state === OUT_OF_RANGE) {
      return { status: 'too large' }
    }
    throw error
  }
}

const UNIQUE_VIOLATION = '23505'
const OUT_OF_RANGE = '22003'

/** The id of an image from what people paste: the id itself, its file name, or its URL. Undefined for anything else. */
export function toImageId(text: string): string | undefined {
  const path = text.trim().replace(/[?#].*$/, '')
  return parseImageName(path.slice(path.lastIndexOf('/') + 1))?.id
}

export type RetryOutcome = 'queued now' | 'unknown image' | 'being made' | 'ready' | 'failed' | 'removed'

/** Ends the back-off of an image that waits for its next try. One that failed for good was refunded and stays so. */
export async function retryImage(db: Database, imageId: string): Promise<RetryOutcome> {
  if (await retryNow(db, imageId)) {
    return 'queued now'
  }
  const row = await db.prisma.image.findUnique({ where: { id: imageId }, select: { status: true } })
  if (row === null) {
    return 'unknown image'
  }
  const { status } = row
  return status === 'ready' || status === 'failed' || status === 'removed' ? status : 'being made'
}
