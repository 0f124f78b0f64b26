import type { Database, Statement } from '@wombat/database'

/*
 * What keys with budgets have spent (key_spending) is kept by the database: by accept_requests with each charge, by a
 * trigger with each refund and each change of a budget. verify.ts compares it with the ledger.
 */

/** What a key may spend in a period of UTC, and has. */
export interface SpentBudget {
  readonly period: 'day' | 'month'
  readonly budget: number
  readonly spent: number
  /** ISO 8601. */
  readonly resetsAt: string
}

/** As the database's over_budget() says it; `resets` is UTC without saying so. */
export type BudgetRow = Omit<SpentBudget, 'resetsAt'> & { readonly resets: string }

export function toSpentBudget({ resets, ...budget }: BudgetRow): SpentBudget {
  return { ...budget, resetsAt: `${resets}.000Z` }
}

const IS_OVER: Statement = {
  name: 'is-over-budget',
  text: `SELECT FROM api_keys k JOIN key_spending s ON s.key_id = k.id
           AND s.begins = date_trunc(s.period, now() AT TIME ZONE 'UTC')::date
         WHERE k.id = $1 AND s.spent + $2 > CASE s.period WHEN 'day' THEN k.daily_budget ELSE k.monthly_budget END`,
}

/** For sparing work. Only the transaction decides. */
export async function isOverBudget(db: Database, keyId: string, credits: number): Promise<boolean> {
  return (await db.run(IS_OVER, [keyId, credits])).length > 0
}

const FIND_EXCESS: Statement = {
  name: 'find-budget-excess',
  text: `SELECT over_budget(k.daily_budget, coalesce(d.spent, 0), k.monthly_budget, coalesce(m.spent, 0), $2, t.today, t.this_month)
                  AS budget
         FROM api_keys k
           CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date AS today,
                              date_trunc('month', now() AT TIME ZONE 'UTC')::date AS this_month) t
           LEFT JOIN key_spending d ON d.key_id = k.id AND d.period = 'day' AND d.begins = t.today
           LEFT JOIN key_spending m ON m.key_id = k.id AND m.period = 'month' AND m.begins = t.this_month
         WHERE k.id = $1`,
}

/** The budget that a price goes beyond, as things are now. Undefined: none. */
export async function findBudgetExcess(db: Database, keyId: string, credits: number): Promise<SpentBudget | undefined> {
  const [row] = await db.run<{ budget: BudgetRow | null }>(FIND_EXCESS, [keyId, credits])
  return row?.budget ? toSpentBudget(row.budget) : undefined
}

const REMOVE_OLD: Statement = {
  name: 'remove-old-spending',
  text: `DELETE FROM key_spending WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM key_spending
           WHERE begins < date_trunc('month', now() AT TIME ZONE 'UTC')::date - 31
           ORDER BY begins LIMIT $1 FOR UPDATE SKIP LOCKED))
         RETURNING begins`,
}

/**
 * Removes a batch of periods that nothing asks for any more; answers how many. Some are kept, for an operator who wonders
 * about the last one.
 */
export async function removeOldSpending(db: Database, limit: number): Promise<number> {
  return (await db.run(REMOVE_OLD, [limit])).length
}
