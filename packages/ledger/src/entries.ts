import type { Database, Statement } from '@wombat/database'

export interface LedgerLine {
  readonly id: string
  readonly at: Date
  readonly kind: string
  readonly amount: number
  readonly balanceAfter: number
  readonly ref: string
  readonly note: string
}

/** The newest entries of an account, newest first; those that are older than `before`, the id of one. */
export async function listEntries(
  db: Database,
  accountId: string,
  limit: number,
  before?: string,
): Promise<LedgerLine[]> {
  const entries = await db.prisma.ledgerEntry.findMany({
    where: { accountId, ...(before === undefined ? {} : { id: { lt: BigInt(before) } }) },
    orderBy: { id: 'desc' },
    take: limit,
  })
  return entries.map(({ id, createdAt, kind, amount, balanceAfter, ref, note }) => ({
    id: String(id),
    at: createdAt,
    kind,
    amount,
    balanceAfter,
    ref,
    note,
  }))
}

const FIND_BALANCE: Statement = { name: 'find-balance', text: 'SELECT balance FROM accounts WHERE id = $1' }

/** For display and for sparing work. Never to decide a charge: only the transaction does that. */
export async function findBalance(db: Database, accountId: string): Promise<number> {
  const [row] = await db.run<{ balance: number }>(FIND_BALANCE, [accountId])
  return row?.balance ?? 0
}
