import { type Queryable, withClient } from '@wombat/database'

/** How many rows, and what becomes of them: shares of the images, and what waits and is under way now. */
export interface ManyImages {
  readonly images: number
  /** Whose accounts, with one key each; their names begin with `many`. */
  readonly accounts: number
  /** Queued images on top. */
  readonly queued: number
  /** Images in the making on top. */
  readonly generating: number
}

/**
 * Fills a migrated database as a year of use would: each image with its request, its charge and its attempt; of a hundred
 * images two failed and were refunded, one was removed and ten are PNGs. Every tenth order had an idempotency key, and every
 * tenth image a message to a webhook. Needs a superuser, for it leaves the triggers out. The balances add up.
 */
export async function loadManyImages(url: string, options: ManyImages): Promise<void> {
  const indexes = await withClient(url, (client) => dropIndexes(client, options.images))
  await runApart(url, statements(options))
  await runApart(url, [...Map.groupBy(indexes, (text) => tableOf(text)).values()])
  await withClient(url, (client) => client.query('VACUUM (ANALYZE)'))
}

/** Each group on a connection of its own, at the same time. */
async function runApart(url: string, groups: readonly (readonly string[])[]): Promise<void> {
  const run = (group: readonly string[]) =>
    withClient(url, async (client) => {
      // No triggers: neither those that keep the ledger nor the foreign keys, which would look up each row.
      await client.query(
        `SET session_replication_role = replica; SET work_mem = '64MB'; SET maintenance_work_mem = '1GB'`,
      )
      for (const statement of group) {
        await client.query(statement)
      }
    })
  await Promise.all(groups.map(run))
}

/** Building an index at the end is quicker than keeping it, and as dense. Those of constraints stay. */
async function dropIndexes(client: Queryable, images: number): Promise<string[]> {
  if (images < MANY) {
    return []
  }
  const { rows } = await client.query(
    `SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS text FROM pg_index i
     WHERE i.indrelid = ANY ($1::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)`,
    [['images', 'requests', 'ledger_entries', 'attempts', 'idempotency_keys', 'webhook_deliveries']],
  )
  for (const { name } of rows) {
    await client.query(`DROP INDEX ${name}`)
  }
  return rows.map(({ text }) => String(text))
}

const MANY = 1_000_000

const CREDITS = 2_000_000

/** Ids as ours, random to an index, that are computed from a number. */
const ACCOUNT = (n: string) => `('00000000-0000-4000-8000-' || lpad((${n})::text, 12, '0'))::uuid`
const IMAGE = (n: string) => `'v2-' || substr(md5('image' || ${n}), 1, 9) || '-' || substr(md5('image' || ${n}), 10, 9)`
const UUID = (kind: string, n: string) => `md5('${kind}' || ${n})::uuid`

function tableOf(text: string): string {
  return / ON (\S+) /.exec(text)?.[1] ?? ''
}

/** In groups that need nothing of each other. */
function statements({ images, accounts, queued, generating }: ManyImages): string[][] {
  const all = images + queued + generating
  const of = `(n % ${accounts}) + 1`
  const at = `CASE WHEN n <= ${images} THEN now() - interval '1 day' - (${images} - n) * (interval '365 days' / ${images})
                   ELSE now() - interval '1 second' * (${all} - n) * 0.01 END`
  const rows = (from: number, to: number) => `(SELECT n, ${at} AS at FROM generate_series(${from}, ${to}) AS n) AS s`
  const failed = 'n % 100 IN (17, 53)'
  return [
    [
      `INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt, is_enhanced,
                           final_prompt, alt, reference_images, created_at)
       SELECT ${UUID('request', 'n')}, ${ACCOUNT(of)}, ${UUID('key', of)}, ${MODEL}, 'standard', 'photo', true, 1024, 1024,
              rpad('a lighthouse number ' || n, 160, ' in the fog'), true, rpad('a picture of the lighthouse ' || n, 400, ' in the fog'),
              rpad('lighthouse ' || n, 60, '.'), '{}', at FROM ${rows(1, all)}`,
    ],
    [
      `INSERT INTO images (id, request_id, account_id, position, model, plan, status, fence, due_at, announce_at, deadline_at,
                         route, provider, object_key, content_type, size_bytes, sha256, failure_code, failure_message,
                         created_at, finished_at, stored_at)
       SELECT ${IMAGE('n')}, ${UUID('request', 'n')}, ${ACCOUNT(of)}, 0, ${MODEL}, 'professional', status, 1, at,
              at + interval '5 seconds', at + interval '1 day', 'openai-1', 'openai',
              CASE status WHEN 'ready' THEN 'images/' || substr(md5('image' || n), 1, 2) || '/' || ${IMAGE('n')} || '/1.jpg' END,
              CASE WHEN status = 'ready' THEN CASE WHEN n % 10 = 3 AND n > ${images} * 0.92 THEN 'image/png' ELSE 'image/jpeg' END END,
              CASE status WHEN 'ready' THEN 150000 END,
              CASE status WHEN 'ready' THEN md5('a' || n) || md5('b' || n) END,
              CASE status WHEN 'failed' THEN 'moderation_refused' WHEN 'removed' THEN 'image_expired' END,
              CASE status WHEN 'failed' THEN 'The upstream refused the prompt.' WHEN 'removed' THEN 'The image is past its retention.' END,
              at, at + interval '12 seconds', CASE status WHEN 'ready' THEN at + interval '12 seconds' END
       FROM (SELECT s.*, CASE WHEN ${failed} THEN 'failed' WHEN n % 100 = 71 THEN 'removed' ELSE 'ready' END AS status FROM ${rows(1, images)}) AS s`,
      `INSERT INTO images (id, request_id, account_id, position, model, plan, status, fence, lease_owner, lease_until, due_at,
                         announce_at, deadline_at, route, created_at)
       SELECT ${IMAGE('n')}, ${UUID('request', 'n')}, ${ACCOUNT(of)}, 0, ${MODEL}, 'professional',
              CASE WHEN n <= ${images + queued} THEN 'queued' ELSE 'generating' END, 1,
              CASE WHEN n > ${images + queued} THEN 'nobody' END, CASE WHEN n > ${images + queued} THEN now() + interval '1 hour' END,
              at, now() + interval '1 hour', at + interval '1 day', CASE WHEN n > ${images + queued} THEN 'openai-1' END, at
       FROM ${rows(images + 1, all)}`,
    ],
    [
      `INSERT INTO accounts (id, name, plan, balance)
       SELECT ${ACCOUNT('n')}, 'many ' || n, 'professional', 0 FROM generate_series(1, ${accounts}) AS n`,
      `INSERT INTO api_keys (id, account_id, hash, last_four)
       SELECT ${UUID('key', 'n')}, ${ACCOUNT('n')}, sha256(convert_to('many-key-' || n, 'UTF8')), 'many' FROM generate_series(1, ${accounts}) AS n`,
      `INSERT INTO webhooks (id, account_id, url, secret, disabled_at)
       SELECT ${UUID('webhook', 'n')}, ${ACCOUNT('n')}, 'http://127.0.0.1:9/', 'secret', now() FROM generate_series(1, ${Math.ceil(accounts / 10)}) AS n`,
      `INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref, created_at)
       SELECT ${ACCOUNT('n')}, 'grant', ${CREDITS}, ${CREDITS}, 'many ' || n, now() - interval '366 days' FROM generate_series(1, ${accounts}) AS n`,
      // One credit each, so that who carries on from whom can be computed; what failed comes back with the last entries.
      `INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref, created_at)
       SELECT ${ACCOUNT(of)}, 'charge', -1, ${CREDITS} - ((n - 1) / ${accounts}) - 1, ${IMAGE('n')}, at FROM ${rows(1, all)}`,
      `INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref, note, created_at)
       SELECT account_id, 'refund', 1, last + row_number() OVER (PARTITION BY account_id ORDER BY n), ref, 'moderation_refused', at
       FROM (SELECT n, ${ACCOUNT(of)} AS account_id, ${IMAGE('n')} AS ref, at + interval '12 seconds' AS at,
                    ${CREDITS} - ${Math.floor(all / accounts)} - CASE WHEN n % ${accounts} BETWEEN 1 AND ${all % accounts} THEN 1 ELSE 0 END AS last
             FROM ${rows(1, images)} WHERE ${failed}) AS f`,
      `UPDATE accounts a SET balance = e.total FROM (SELECT account_id, sum(amount) AS total FROM ledger_entries GROUP BY account_id) AS e
       WHERE e.account_id = a.id`,
    ],
    [
      `INSERT INTO attempts (image_id, fence, route, provider, is_paid, started_at, finished_at, outcome, failure, upstream_id, latency_ms,
                           usage, cost_micro_usd)
       SELECT ${IMAGE('n')}, 1, 'openai-1', 'openai', true, at, at + interval '11 seconds', CASE WHEN ${failed} THEN 'refused' ELSE 'done' END,
              CASE WHEN ${failed} THEN 'moderation' END, 'req_' || md5('up' || n), 11000,
              '{"input_tokens": 120, "output_tokens": 1056, "total_tokens": 1176}', 42000 FROM ${rows(1, images)}`,
      `INSERT INTO idempotency_keys (account_id, key_hash, body_hash, request_id, created_at)
       SELECT ${ACCOUNT(of)}, sha256(convert_to('idem' || n, 'UTF8')), sha256(convert_to('body' || n, 'UTF8')), ${UUID('request', 'n')}, at
       FROM ${rows(1, images)} WHERE n % 10 = 0`,
      `INSERT INTO webhook_deliveries (id, webhook_id, image_id, event, status, tries, due_at, last_status, created_at, delivered_at)
       SELECT ${UUID('delivery', 'n')}, ${UUID('webhook', `(n % ${Math.ceil(accounts / 10)}) + 1`)}, ${IMAGE('n')}, 'image.finished', 'delivered', 1,
              at, 200, at, at + interval '13 seconds' FROM ${rows(1, images)} WHERE n % 10 = 5`,
    ],
  ]
}

const MODEL = `(ARRAY['gpt-image-2', 'ideogram-3.0', 'nano-banana-2', 'standard'])[n % 4 + 1]`
