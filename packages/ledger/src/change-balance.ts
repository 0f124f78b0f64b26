import { randomUUID } from 'node:crypto'
import type { Database, Statement } from '@wombat/database'

export type BalanceChange =
  | { readonly status: 'changed'; readonly balance: number; readonly ref: string }
  /** The same ref was booked before: nothing was changed. */
  | { readonly status: 'repeated'; readonly balance: number; readonly ref: string }
  /** It would go below zero: nothing was changed. */
  | { readonly status: 'insufficient' }

const CHANGE: Statement = {
  name: 'change-balance',
  text: 'SELECT balance, is_repeated FROM change_balance($1, $2, $3, $4, $5)',
}

/**
 * Books a grant (credits > 0) or an adjustment (either sign). With a `ref`, such as the number of an invoice, the same
 * booking again changes nothing.
 */
export async function changeBalance(
  db: Database,
  change: {
    accountId: string
    kind: 'grant' | 'adjustment'
    credits: number
    ref?: string | undefined
    note?: string | undefined
  },
): Promise<BalanceChange> {
  const ref = change.ref ?? randomUUID()
  const [row] = await db.run<{ balance: number | null; is_repeated: boolean }>(CHANGE, [
    change.accountId,
    change.kind,
    change.credits,
    ref,
    change.note ?? '',
  ])
  if (row === undefined || row.balance === null) {
    return { status: 'insufficient' }
  }
  return { status: row.is_repeated ? 'repeated' : 'changed', balance: row.balance, ref }
}
