// Not once more on Redis and S3: it is about the plan of one query, and the server only makes its database.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readQueueFigures } from '@wombat/images'
import { query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

test('who watches a queue of 150,000 walks along an index, and counts no further than 100,000', async () => {
  await using server = await startTestServer({ role: 'api' })
  const { accountId, databaseUrl, db } = server
  await query(
    databaseUrl,
    `INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt, is_enhanced)
     VALUES ($1, $1, $1, 'standard', 'fast', 'none', false, 64, 64, 'x', false)`,
    [accountId],
  )
  await query(
    databaseUrl,
    `INSERT INTO images (id, request_id, account_id, position, model, status, due_at, deadline_at)
     SELECT 'v2-' || n, $1, $1, 0, 'standard', 'queued', now() - n * interval '1 ms', now() + interval '1 d'
     FROM generate_series(1, 150000) AS n`,
    [accountId],
  )
  await query(databaseUrl, 'ANALYZE images')
  const before = await scans(databaseUrl)
  const [premium, standard] = await readQueueFigures(db, ['premium', 'standard'])
  assert.deepEqual(premium, { model: 'premium', queued: 0, due: 0, oldestDueSeconds: 0, generating: 0 })
  assert.deepEqual([standard?.queued, standard?.due], [100_000, 100_000])
  assert.ok((standard?.oldestDueSeconds ?? 0) >= 150)
  // What a session has done is told to the others when it has been idle for a moment, or ends.
  await server.stop()
  assert.deepEqual(await scans(databaseUrl), before, 'no sequential scan of the images')
})

async function scans(databaseUrl: string): Promise<string> {
  const [row] = await query(databaseUrl, `SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'images'`)
  return String(row?.seq_scan)
}
