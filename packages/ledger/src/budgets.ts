import type { Database, Statement } from '@wombat/database'

/*
 * What keys with budgets have spent (key_spending) is kept by the database: by accept_requests with each charge, by a
 * trigger with each refund and each change of a budget. verify.ts compares it with the ledger.
 */

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

const REMOVE_OLD: Statement = {
  name: 'remove-old-spending',
  text: `DELETE FROM key_spending WHERE begins < date_trunc('month', now() AT TIME ZONE 'UTC')::date - 31`,
}

/** Removes the periods that nothing asks for any more. Some are kept, for an operator who wonders about the last one. */
export async function removeOldSpending(db: Database): Promise<void> {
  await db.run(REMOVE_OLD, [])
}
