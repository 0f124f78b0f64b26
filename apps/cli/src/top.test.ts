import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Operator, openOperator } from '@wombat/engine'
import {
  createTemporaryDirectory,
  createTestDatabase,
  type TemporaryDirectory,
  type TestDatabase,
} from '@wombat/testing'
import { type Finished, runCli } from './run-cli.ts'

let database: TestDatabase
let folder: TemporaryDirectory
let operator: Operator

const ACCOUNT = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'
let statements = 0

async function sql(text: string) {
  statements += 1
  await operator.db.run({ name: `top-test-${statements}`, text }, [])
}

function wombat(args: readonly string[]): Promise<Finished> {
  const env = { DATABASE_URL: database.url, LEONARDO_API_KEY: 'sk-check' }
  return runCli(args, { folder: folder.path, env })
}

describe('wombat top', { timeout: 60_000 }, () => {
  before(async () => {
    database = await createTestDatabase()
    folder = await createTemporaryDirectory()
    operator = await openOperator(database.url)
    await sql(`INSERT INTO accounts (id, name, plan) VALUES ('${ACCOUNT}', 'a', 'basic')`)
    await sql(`INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt,
        is_enhanced) VALUES ('${ACCOUNT}', '${ACCOUNT}', '${ACCOUNT}', 'standard', 'fast', 'none', false, 64, 64, 'x', false)`)
    // Three that wait, one of them for its next try; one that is being made; one made now and one an hour ago.
    await sql(`INSERT INTO images (id, request_id, account_id, position, model, status, plan, due_at, deadline_at, lease_owner,
        lease_until, route, object_key, content_type, size_bytes, sha256, stored_at, finished_at)
      SELECT 'v2-aaaaaaaaa-aaaaaaaa' || n, '${ACCOUNT}', '${ACCOUNT}', n % 4, 'standard', status, 'basic', now() + due * interval '1 s',
        now() + interval '1 h', lease, CASE WHEN lease IS NOT NULL THEN now() + interval '1 h' END, 'leonardo', key,
        CASE WHEN key IS NOT NULL THEN 'image/jpeg' END, 1, 'x', finished, finished
      FROM (VALUES (0, 'queued', -125, NULL, NULL, NULL::timestamptz), (1, 'queued', -5, NULL, NULL, NULL),
                   (2, 'queued', 60, NULL, NULL, NULL), (3, 'generating', 0, 'w', NULL, NULL),
                   (4, 'ready', 0, NULL, 'images/a', now()), (5, 'ready', 0, NULL, 'images/b', now() - interval '1 h'))
        AS v(n, status, due, lease, key, finished)`)
    await sql(`INSERT INTO attempts (image_id, fence, provider, is_paid, route, outcome, failure, finished_at, latency_ms)
      SELECT 'v2-aaaaaaaaa-aaaaaaaa4', 1, 'leonardo', true, 'leonardo', outcome, failure, now() - ago * interval '1 s', ms
      FROM (VALUES ('done', NULL, 1, 4000), ('done', NULL, 2, 6000), ('not_sent', 'throttled', 3, 100),
                   ('refused', 'moderation', 300, 100)) AS v(outcome, failure, ago, ms)`)
    await sql(`INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref) VALUES
      ('${ACCOUNT}', 'grant', 100, 100, 'g'), ('${ACCOUNT}', 'charge', -8, 92, 'a'), ('${ACCOUNT}', 'charge', -1, 91, 'b'),
      ('${ACCOUNT}', 'refund', 8, 99, 'a')`)
    await sql(`INSERT INTO route_states (route, state, open_until) VALUES ('leonardo', 'open', now() + interval '1 h')`)
  })

  after(async () => {
    await operator.close()
    await folder[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })

  test('has everything in one JSON document', async () => {
    const { code, stdout, stderr } = await wombat(['top', '--json'])
    assert.equal(code, 0, stderr)
    const { models, routes, lastMinute } = JSON.parse(stdout)
    const { oldestDueSeconds, ...standard } = models.find(({ model }: { model: string }) => model === 'standard')
    assert.deepEqual(standard, { model: 'standard', queued: 3, due: 2, generating: 1, lastReady: 1 })
    assert.ok(oldestDueSeconds >= 125 && oldestDueSeconds < 200, `${oldestDueSeconds}`)
    assert.equal(models.length, 5)
    const { state, busy, lastCalls, lastFailed, lastLatencyMs } = routes[0]
    assert.deepEqual(
      { state, busy, lastCalls, lastFailed, lastLatencyMs },
      { state: 'down', busy: 1, lastCalls: 3, lastFailed: 1, lastLatencyMs: 5000 },
    )
    assert.deepEqual(lastMinute, {
      ordered: 2,
      ready: 1,
      failed: 1,
      creditsCharged: 9,
      creditsRefunded: 8,
      failures: { throttled: 1 },
    })
  })

  test('prints one frame with --once, and into a pipe, without steering the terminal', async () => {
    for (const args of [['top', '--once'], ['top']]) {
      const { code, stdout } = await wombat(args)
      assert.equal(code, 0)
      assert.match(stdout, /^wombat top {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/m)
      assert.match(stdout, /^last minute: 2 ordered, 1 ready, 1 failed; credits: 9 charged, 8 returned$/m)
      assert.match(stdout, /^calls that failed: throttled 1$/m)
      assert.match(stdout, /^standard +3 +2 +2 m \d+ s +1 +1$/m)
      assert.match(stdout, /^leonardo +DOWN for (59 m \d+ s|1 h) +1 of 5 +3 +1 +5\.0 s$/m)
      assert.ok(!stdout.includes('\u001b') && !stdout.includes('sk-check'))
    }
  })
})
