import type { Database } from '@wombat/database'
import { type Account, type AccountSummary, findAccount, notifyAccountsChanged } from './accounts.ts'
import type { ApiKeySummary } from './api-keys.ts'

/** Where a page begins: behind this row. */
export interface Position {
  readonly at: Date
  readonly id: string
}

/** Newest first, from behind a position on. */
export async function listAccountsAfter(
  db: Database,
  { limit, after }: { limit: number; after: Position | undefined },
): Promise<AccountSummary[]> {
  const rows = await db.prisma.account.findMany({
    where:
      after === undefined
        ? {}
        : { OR: [{ createdAt: { lt: after.at } }, { createdAt: after.at, id: { lt: after.id } }] },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit,
    select: { id: true, _count: { select: { keys: { where: { revokedAt: null } } } } },
  })
  const found = await Promise.all(rows.map(({ id }) => findAccount(db, id)))
  return found.flatMap((account, index) =>
    account === undefined ? [] : [{ ...account, keys: rows[index]?._count.keys ?? 0 }],
  )
}

export interface AccountChange {
  readonly name?: string | undefined
  readonly plan?: string | undefined
  readonly rateLimitPerMinute?: number | null | undefined
}

/** Counts from the next request on, in every process. Undefined: there is no such account. */
export async function changeAccount(
  db: Database,
  accountId: string,
  { name, plan, rateLimitPerMinute }: AccountChange,
): Promise<Account | undefined> {
  await db.prisma.account.updateMany({
    where: { id: accountId },
    data: {
      ...(name === undefined ? {} : { name }),
      ...(plan === undefined ? {} : { plan }),
      ...(rateLimitPerMinute === undefined ? {} : { rateLimitPerMinute }),
    },
  })
  await notifyAccountsChanged(db, accountId)
  return await findAccount(db, accountId)
}

/** What a key may do beyond its account; empty lists: everything. */
export interface KeyLimits {
  readonly rateLimitPerMinute: number | null
  /** Credits in a day and in a month of UTC. */
  readonly dailyBudget: number | null
  readonly monthlyBudget: number | null
  readonly allowedModels: readonly string[]
  readonly allowedQualities: readonly string[]
  readonly allowedSizes: readonly string[]
  /** CIDR. */
  readonly allowedNetworks: readonly string[]
}

export type KeyDetails = ApiKeySummary & KeyLimits

export type KeyChange = Partial<KeyLimits & Pick<ApiKeySummary, 'name' | 'expiresAt'>>

/** Oldest first. */
export async function listKeyDetails(db: Database, accountId: string): Promise<KeyDetails[]> {
  const rows = await db.prisma.apiKey.findMany({
    where: { accountId },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    omit: { hash: true },
  })
  return rows.map(({ id, ...rest }) => ({ keyId: id, ...rest }))
}

/** Counts from the next request on, in every process. Undefined: there is no such key. */
export async function changeKey(db: Database, keyId: string, change: KeyChange): Promise<KeyDetails | undefined> {
  const { allowedModels, allowedQualities, allowedSizes, allowedNetworks, ...rest } = change
  const lists = Object.entries({ allowedModels, allowedQualities, allowedSizes, allowedNetworks })
  const [row] = await db.prisma.apiKey.updateManyAndReturn({
    where: { id: keyId },
    data: {
      ...rest,
      ...Object.fromEntries(lists.flatMap(([name, list]) => (list === undefined ? [] : [[name, [...list]]]))),
    },
    omit: { hash: true },
  })
  if (row === undefined) {
    return undefined
  }
  await notifyAccountsChanged(db, row.accountId)
  const { id, ...details } = row
  return { keyId: id, ...details }
}
