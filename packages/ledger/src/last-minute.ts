import type { Database, Statement } from '@wombat/database'

export interface LastMovements {
  readonly charged: { readonly images: number; readonly credits: number }
  readonly refunded: { readonly images: number; readonly credits: number }
}

/** Of more entries than this only the last ones count. */
const MOST_ENTRIES = 50_000

const MOVEMENTS: Statement = {
  name: 'last-minute-movements',
  text: `SELECT e.kind, count(*)::int AS images, sum(abs(e.amount))::int AS credits
         FROM (SELECT kind, amount, created_at FROM ledger_entries ORDER BY id DESC LIMIT $1) AS e
         WHERE e.created_at > now() - interval '1 minute' AND e.kind IN ('charge', 'refund') GROUP BY e.kind`,
}

/** What orders took and failures gave back in the last minute. */
export async function sumLastMinute(db: Database): Promise<LastMovements> {
  const rows = await db.run<{ kind: string; images: number; credits: number }>(MOVEMENTS, [MOST_ENTRIES])
  const find = (kind: string) => {
    const { images = 0, credits = 0 } = rows.find((row) => row.kind === kind) ?? {}
    return { images, credits }
  }
  return { charged: find('charge'), refunded: find('refund') }
}
