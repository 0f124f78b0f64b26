import { type Database, withClient } from '@wombat/database'

/** Few enough that the ledger's sum of them stays a 32-bit number. */
const CREDITS = 8_000_000

/**
 * Accounts 1 to n with credits and a key each, and ids that pgbench can compute. Answers the keys in their order. The
 * balances have their entries, so that the ledger can be verified after the measuring.
 */
export async function makeAccounts(db: Database, n: number): Promise<string[]> {
  await withClient(db.url, async (client) => {
    await client.query(
      `INSERT INTO accounts (id, name, plan, balance)
       SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'bench ' || i, 'professional', $2::int
       FROM generate_series(1, $1::int) i`,
      [n, CREDITS],
    )
    await client.query(
      `INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref)
       SELECT id, 'grant', balance, balance, 'bench ' || id FROM accounts WHERE name LIKE 'bench %'`,
    )
    await client.query(
      `INSERT INTO api_keys (id, account_id, hash, last_four)
       SELECT gen_random_uuid(), a.id, sha256(convert_to('bench-key-' || a.id, 'UTF8')), right(a.id::text, 4)
       FROM accounts a WHERE a.name LIKE 'bench %'`,
    )
  })
  return Array.from({ length: n }, (_, i) => `bench-key-00000000-0000-4000-8000-${String(i + 1).padStart(12, '0')}`)
}
