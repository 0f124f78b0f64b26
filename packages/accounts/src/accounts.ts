import { randomUUID } from 'node:crypto'
import type { Database, Statement } from '@wombat/database'

export interface Account {
  readonly id: string
  readonly name: string
  /** The name of a plan. */
  readonly plan: string
  readonly balance: number
  readonly rateLimitPerMinute: number | null
  readonly isBootstrap: boolean
  readonly disabledAt: Date | null
  readonly createdAt: Date
}

export type AccountSummary = Account & { readonly keys: number }

/** Processes drop what they remember of keys when this channel speaks. */
const NOTIFY_ACCOUNTS: Statement = { name: 'notify-accounts', text: `SELECT pg_notify('wombat_accounts', $1)::text` }

/** A new account without credits or keys. Throws when there is no such plan. */
export async function createAccount(
  db: Database,
  account: { name: string; plan: string; rateLimitPerMinute?: number | undefined; isBootstrap?: boolean },
): Promise<Account> {
  const row = await db.prisma.account.create({
    data: {
      id: randomUUID(),
      name: account.name,
      plan: account.plan,
      rateLimitPerMinute: account.rateLimitPerMinute ?? null,
      isBootstrap: account.isBootstrap ?? false,
    },
  })
  return toAccount(row)
}

export async function findAccount(db: Database, id: string): Promise<Account | undefined> {
  const row = await db.prisma.account.findUnique({ where: { id } })
  return row === null ? undefined : toAccount(row)
}

/** Where a part of a list begins: behind this row. */
export interface Position {
  readonly at: Date
  readonly id: string
}

/** Newest first, from behind a position on. */
export async function listAccounts(db: Database, limit: number, after?: Position): Promise<AccountSummary[]> {
  const rows = await db.prisma.account.findMany({
    where:
      after === undefined
        ? {}
        : { OR: [{ createdAt: { lt: after.at } }, { createdAt: after.at, id: { lt: after.id } }] },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit,
    include: { _count: { select: { keys: { where: { revokedAt: null } } } } },
  })
  return rows.map((row) => ({ ...toAccount(row), keys: row._count.keys }))
}

/** A disabled account's keys are refused at once in every process; its images stay. False: there is no such account. */
export async function setAccountDisabled(db: Database, id: string, isDisabled: boolean): Promise<boolean> {
  const { count } = await db.prisma.account.updateMany({
    where: { id },
    data: { disabledAt: isDisabled ? new Date() : null },
  })
  await notifyAccountsChanged(db, id)
  return count === 1
}

/** Fields that are left out stay as they are; null takes a limit away. */
export interface AccountChange {
  readonly name?: string | undefined
  readonly plan?: string | undefined
  readonly rateLimitPerMinute?: number | null | undefined
}

/** In force at once in every process. False: there is no such account. Throws when there is no such plan. */
export async function changeAccount(db: Database, id: string, change: AccountChange): Promise<boolean> {
  const { name, plan, rateLimitPerMinute } = change
  const { count } = await db.prisma.account.updateMany({
    where: { id },
    data: {
      ...(name === undefined ? {} : { name }),
      ...(plan === undefined ? {} : { plan }),
      ...(rateLimitPerMinute === undefined ? {} : { rateLimitPerMinute }),
    },
  })
  await notifyAccountsChanged(db, id)
  return count === 1
}

export async function notifyAccountsChanged(db: Database, accountId: string): Promise<void> {
  await db.run(NOTIFY_ACCOUNTS, [accountId])
}

function toAccount(row: Account): Account {
  return {
    id: row.id,
    name: row.name,
    plan: row.plan,
    balance: row.balance,
    rateLimitPerMinute: row.rateLimitPerMinute,
    isBootstrap: row.isBootstrap,
    disabledAt: row.disabledAt,
    createdAt: row.createdAt,
  }
}

/** The account that the first start made, if it did. */
export async function findBootstrapAccount(db: Database): Promise<Account | undefined> {
  const row = await db.prisma.account.findFirst({ where: { isBootstrap: true } })
  return row === null ? undefined : toAccount(row)
}

const IS_FIRST_START: Statement = {
  name: 'is-first-start',
  text: `SELECT NOT EXISTS (SELECT FROM api_keys) AND NOT EXISTS (SELECT FROM accounts WHERE NOT is_bootstrap) AS is_first`,
}

/** True when nobody could use this server: there is no key, and no account but perhaps a half-made first one. */
export async function isFirstStart(db: Database): Promise<boolean> {
  const [row] = await db.run<{ is_first: boolean }>(IS_FIRST_START, [])
  return row?.is_first === true
}
