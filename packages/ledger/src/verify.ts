import { type Database, withClient } from '@wombat/database'

export interface LedgerFault {
  /** Which rule is broken. */
  readonly rule: string
  /** The account or image. */
  readonly subject: string
  readonly detail: string
}

export interface LedgerReport {
  readonly accounts: number
  readonly entries: number
  readonly images: number
  /** Sum of all balances, in credits. */
  readonly credits: number
  readonly faults: readonly LedgerFault[]
}

const MOST_FAULTS_PER_RULE = 1_000

/** As doubles, which are exact up to 2^53: the sum of all balances may be larger than a 32-bit number. */
const COUNTS = `SELECT (SELECT count(*) FROM accounts)::float8 AS accounts,
  (SELECT count(*) FROM ledger_entries)::float8 AS entries, (SELECT count(*) FROM images)::float8 AS images,
  (SELECT coalesce(sum(balance), 0) FROM accounts)::float8 AS credits`

/** Each rule finds what breaks it. Each statement sees one snapshot, so a busy server gives no false alarm. */
const RULES: readonly { rule: string; text: string }[] = [
  {
    rule: 'a balance is the sum of its entries',
    text: `SELECT a.id::text AS subject, format('balance %s, entries %s', a.balance, coalesce(s.total, 0)) AS detail
           FROM accounts a LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_entries GROUP BY account_id) s
             ON s.account_id = a.id
           WHERE a.balance <> coalesce(s.total, 0)`,
  },
  {
    rule: 'each entry carries on from the one before',
    text: `SELECT account_id::text AS subject, format('entry %s: %s%s%s is not %s', id, before,
                  CASE WHEN amount < 0 THEN '' ELSE '+' END, amount, balance_after) AS detail
           FROM (SELECT id, account_id, amount, balance_after,
                        coalesce(lag(balance_after) OVER (PARTITION BY account_id ORDER BY id), 0) AS before
                 FROM ledger_entries) e
           WHERE before + amount <> balance_after`,
  },
  {
    rule: 'each image is charged',
    text: `SELECT i.id AS subject, 'no charge for this image' AS detail
           FROM images i LEFT JOIN ledger_entries e ON e.kind = 'charge' AND e.ref = i.id WHERE e.id IS NULL`,
  },
  {
    // Unique in the database, and yet: an index of texts breaks when the system's collations change beneath it.
    rule: 'an image is charged once and refunded at most once',
    text: `SELECT ref AS subject, format('%s entries of kind %s', count(*), kind) AS detail
           FROM ledger_entries WHERE kind IN ('charge', 'refund') GROUP BY kind, ref HAVING count(*) > 1`,
  },
  {
    // Old images may be forgotten (forget_images): one that is missing was charged before the newest of those.
    rule: 'a charge is for an image of the same account',
    text: `SELECT e.ref AS subject, format('%s entry %s of account %s', e.kind, e.id, e.account_id) AS detail
           FROM ledger_entries e LEFT JOIN images i ON i.id = e.ref
             LEFT JOIN ledger_entries c ON e.kind = 'refund' AND c.kind = 'charge' AND c.ref = e.ref
           WHERE e.kind IN ('charge', 'refund') AND CASE
             WHEN i.id IS NOT NULL THEN i.account_id <> e.account_id
             WHEN e.kind = 'refund' AND c.id IS NULL THEN true
             ELSE coalesce(c.id, e.id) > coalesce((SELECT last_charge FROM forgotten), 0) END`,
  },
  {
    rule: 'a refund of a forgotten image gives back what was charged, to the same account',
    text: `SELECT r.ref AS subject, format('charged %s, refunded %s', -c.amount, r.amount) AS detail
           FROM ledger_entries r JOIN ledger_entries c ON c.kind = 'charge' AND c.ref = r.ref
           WHERE r.kind = 'refund' AND (r.amount <> -c.amount OR r.account_id <> c.account_id)
             AND NOT EXISTS (SELECT FROM images i WHERE i.id = r.ref)`,
  },
  {
    rule: 'as many images are missing as were forgotten',
    text: `SELECT 'images' AS subject, format('%s are missing, %s were forgotten', n.missing, n.forgotten) AS detail
           FROM (SELECT f.images AS forgotten,
                        (SELECT count(*) FROM ledger_entries e WHERE e.kind = 'charge' AND e.id <= f.last_charge
                           AND NOT EXISTS (SELECT FROM images i WHERE i.id = e.ref)) AS missing FROM forgotten f) n
           WHERE n.missing <> n.forgotten`,
  },
  {
    rule: 'a failed image, and no other, is refunded what it was charged',
    text: `SELECT i.id AS subject, format('status %s, charged %s, refunded %s', i.status, -c.amount, coalesce(r.amount, 0)) AS detail
           FROM images i JOIN ledger_entries c ON c.kind = 'charge' AND c.ref = i.id
             LEFT JOIN ledger_entries r ON r.kind = 'refund' AND r.ref = i.id
           WHERE coalesce(r.amount, 0) <> CASE WHEN i.status = 'failed' THEN -c.amount ELSE 0 END`,
  },
  {
    // Only keys with a budget are counted, and only the present day and month matter.
    rule: 'a key has spent of its budget what its requests were charged, less refunds',
    text: `SELECT p.key::text AS subject, format('%s: spent %s, entries %s', p.period, p.spent, p.total) AS detail
           FROM (SELECT k.id AS key, t.period, coalesce(s.spent, 0) AS spent,
                        spent_by_key(k.id, t.begins AT TIME ZONE 'UTC') AS total
                 FROM api_keys k
                   CROSS JOIN (VALUES ('day', date_trunc('day', now() AT TIME ZONE 'UTC')),
                                      ('month', date_trunc('month', now() AT TIME ZONE 'UTC'))) AS t(period, begins)
                   LEFT JOIN key_spending s ON s.key_id = k.id AND s.period = t.period AND s.begins = t.begins::date
                 WHERE k.daily_budget IS NOT NULL OR k.monthly_budget IS NOT NULL) p
           WHERE p.spent <> p.total`,
  },
]

/**
 * Recomputes every balance from the ledger and the ledger from the images, and tells what does not agree. Works on a
 * connection of its own, since on a large ledger it takes longer than other statements may.
 */
export async function verifyLedger(db: Database): Promise<LedgerReport> {
  return await withClient(db.url, async (client) => {
    const faults: LedgerFault[] = []
    for (const { rule, text } of RULES) {
      const { rows } = await client.query(`${text} LIMIT ${MOST_FAULTS_PER_RULE}`)
      faults.push(...rows.map(({ subject, detail }) => ({ rule, subject: String(subject), detail: String(detail) })))
    }
    const { rows } = await client.query(COUNTS)
    return { ...rows[0], faults }
  })
}
