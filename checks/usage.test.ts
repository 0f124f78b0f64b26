/** What `wombat usage` adds up, compared with what the tables say and with what the ledger does. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createKey } from '@wombat/accounts'
import { withClient } from '@wombat/database'
import { failImage, sumUsage, verifyLedger } from '@wombat/ledger'
import { createTemporaryDirectory, REFUSED_WORD, startOpenAiEmulator, until } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import type { Finished } from '../apps/cli/src/run-cli.ts'
import { finishNow, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const emulator = await startOpenAiEmulator()
const server = await startTestServer({ role: 'api' })
const folder = await createTemporaryDirectory()
after(async () => {
  await folder[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
  await emulator[Symbol.asyncDispose]()
})
// Days are those of UTC, whatever the database thinks of itself, and the operator of theirs.
await setOfDatabase('timezone', 'Asia/Tokyo')

async function setOfDatabase(setting: string, value: string) {
  const text = `ALTER DATABASE %I SET ${setting} = '${value}'`
  await query(server.databaseUrl, `DO $do$ BEGIN EXECUTE format($$${text}$$, current_database()); END $do$`)
}

function wombat(...args: string[]): Promise<Finished> {
  return callCli(args, {
    folder: folder.path,
    env: { DATABASE_URL: server.databaseUrl, ...server.parts, TZ: 'America/New_York' },
  })
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await wombat(...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function orderAt(at: string, fields: Readonly<Record<string, unknown>>, key = server.apiKey): Promise<string> {
  const id = await orderOne({ post: (body) => server.post(body, { key }) }, fields)
  await query(server.databaseUrl, 'UPDATE images SET created_at = $2 WHERE id = $1', [id, at])
  return id
}

const NAME = '=1+1, "x"'
const named = await json('account', 'create', '--name', NAME, '--plan', 'professional', '--credits', '100')
const second = await createKey(server.db, { accountId: server.accountId, name: '@second' })

// Two by OpenAI, one after a call that nobody knows the cost of, one after a call that was never sent; and one that it
// refused, perhaps at a price.
{
  const env = { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url, RETRY_MAX_DELAY_SECONDS: '0.05' }
  await using _worker = await startTestServer({ role: 'worker', beside: server, env })
  emulator.setFault('cut_off', { times: 1 })
  const unknown = await orderAt('2026-01-31T23:59:59.999Z', {})
  assert.equal((await server.get(pathOf(unknown))).status, 200)
  emulator.setFault('server_error', { times: 1 })
  const notSent = await orderAt('2026-02-01T00:00:00Z', { quality: 'medium' })
  assert.equal((await server.get(pathOf(notSent))).status, 200)
  const refused = await orderAt('2026-02-01T12:00:00Z', { prompt: REFUSED_WORD, quality: 'high' })
  assert.equal((await server.get(pathOf(refused))).status, 422)
}
// With nobody at work: one that was removed after it was ready, by the second key; one that failed before anybody had
// it, and one that waits, of an account whose name a spreadsheet would run.
const removed = await orderAt('2026-02-28T23:59:59.999Z', { model: 'standard' }, second.apiKey)
await finishNow(server.engine, removed, 'image/jpeg')
await query(
  server.databaseUrl,
  `UPDATE images SET status = 'removed', object_key = NULL, failure_code = 'image_expired' WHERE id = $1`,
  [removed],
)
const failed = await orderAt('2026-03-01T00:00:00Z', { model: 'premium' }, named.apiKey)
await failImage(server.db, { imageId: failed, fence: undefined, code: 'generation_deadline', message: '' })
const waiting = await orderAt('2026-03-01T00:00:00.001Z', { model: 'ideogram-3.0' }, named.apiKey)
// It was tried elsewhere first, and a call of it is under way.
await query(
  server.databaseUrl,
  `INSERT INTO attempts (image_id, fence, provider, is_paid, route, outcome, finished_at, cost_micro_usd) VALUES
     ($1, 1, 'ideogram', true, 'ideogram-2', 'unknown', now(), 1), ($1, 2, 'ideogram', true, 'ideogram-2', NULL, NULL, NULL),
     ($1, 0, 'ideogram', true, NULL, 'unknown', now(), 9007199254)`,
  [waiting],
)
await query(server.databaseUrl, `UPDATE images SET route = 'ideogram-1' WHERE id = $1`, [waiting])

const [paid] = await query(
  server.databaseUrl,
  `SELECT sum(cost_micro_usd)::int AS micro, array_agg(cost_micro_usd::int ORDER BY id) AS each
   FROM attempts WHERE provider = 'openai' AND outcome = 'done'`,
)
const [FAST = 0, MEDIUM = 0] = paid.each

type Counts = readonly number[]

/** Ordered, ready, failed; charged, refunded, net; calls, their cost, and how many of an unknown one. */
function counts(line: Record<string, number>): Counts {
  const { ordered = 0, ready = 0, failed = 0, creditsCharged = 0, creditsRefunded = 0, creditsNet = 0 } = line
  const { attempts = 0, costMicroUsd = 0, unknownCosts = 0 } = line
  return [ordered, ready, failed, creditsCharged, creditsRefunded, creditsNet, attempts, costMicroUsd, unknownCosts]
}

async function linesOf(label: string, ...args: string[]): Promise<Record<string, Counts>> {
  const { lines, total } = await json('usage', ...args)
  const sums = counts(total).map((_, index) =>
    lines.map(counts).reduce((sum: number, line: Counts) => sum + (line[index] ?? 0), 0),
  )
  assert.deepEqual(counts(total), sums)
  return Object.fromEntries(lines.map((line: Record<string, number>) => [String(line[label]), counts(line)]))
}

const OPENAI_CALLS = 5
const IDEOGRAM_COST = 9_007_199_255

describe('wombat usage', { timeout: 60_000 }, () => {
  test('adds up images, credits, calls and their cost by model', async () => {
    assert.ok(FAST > 0 && MEDIUM > FAST)
    assert.deepEqual(await linesOf('model'), {
      'gpt-image-2': [3, 2, 1, 29, 20, 9, OPENAI_CALLS, FAST + MEDIUM, 2],
      standard: [1, 1, 0, 1, 0, 1, 0, 0, 0],
      premium: [1, 0, 1, 5, 5, 0, 0, 0, 0],
      'ideogram-3.0': [1, 0, 0, 3, 0, 3, 3, IDEOGRAM_COST, 0],
    })
  })

  test('by account and by key, with what people call them', async () => {
    const accounts = await json('usage', '--by', 'account')
    assert.deepEqual(
      accounts.lines.map(({ accountId, name, ordered }: Record<string, unknown>) => ({ accountId, name, ordered })),
      [
        { accountId: server.accountId, name: 'default', ordered: 4 },
        { accountId: named.accountId, name: NAME, ordered: 2 },
      ],
    )
    const { lines } = await json('usage', '--by', 'key')
    const names = lines.map(({ name, lastFour, ordered }: Record<string, unknown>) => [name, lastFour, ordered])
    assert.deepEqual(names, [
      ['first key', server.apiKey.slice(-4), 3],
      ['first key', named.apiKey.slice(-4), 2],
      ['@second', second.apiKey.slice(-4), 1],
    ])
    const shown = await wombat('usage', '--by', 'key')
    assert.match(shown.stdout, new RegExp(`^${second.keyId} +@second +…${second.apiKey.slice(-4)} +1 +1 +0 `, 'm'))
    assert.doesNotMatch(shown.stdout, new RegExp(second.apiKey))
  })

  test('by day of UTC', async () => {
    const lines = await linesOf('day', '--by', 'day')
    assert.deepEqual(
      Object.entries(lines).map(([day, [ordered]]) => [day, ordered]),
      [
        ['2026-01-31', 1],
        ['2026-02-01', 2],
        ['2026-02-28', 1],
        ['2026-03-01', 2],
      ],
    )
  })

  test('by route: an image counts for the last one that had it, a call for the one that was called', async () => {
    assert.deepEqual(await linesOf('route', '--by', 'route'), {
      openai: [3, 2, 1, 29, 20, 9, OPENAI_CALLS, FAST + MEDIUM, 2],
      check: [1, 1, 0, 1, 0, 1, 0, 0, 0],
      null: [1, 0, 1, 5, 5, 0, 0, 0, 0],
      'ideogram-1': [1, 0, 0, 3, 0, 3, 0, 0, 0],
      'ideogram-2': [0, 0, 0, 0, 0, 0, 2, 1, 0],
      ideogram: [0, 0, 0, 0, 0, 0, 1, IDEOGRAM_COST - 1, 0],
    })
    const { stdout } = await wombat('usage', '--by', 'route')
    assert.match(stdout, /^none yet +1 +0 +1 +5 +5 +0 +0 +\$0\.000000 +0$/m)
  })

  test('of a time: from its first moment, and before its last', async () => {
    const days = async (...args: string[]) => Object.keys(await linesOf('day', '--by', 'day', ...args))
    assert.deepEqual(await days('--since', '2026-02-01', '--until', '2026-03-01'), ['2026-02-01', '2026-02-28'])
    assert.deepEqual(await days('--until', '2026-01-31T23:59:59.999'), [])
    assert.deepEqual(await days('--until', '2026-01-31 18:59:59.999-05:00'), [])
    assert.deepEqual(await days('--until', '2026-02-01T00:00Z'), ['2026-01-31'])
    assert.deepEqual(await days('--since', '2026-03-01T00:00:00.002Z'), [])
    await query(server.databaseUrl, `UPDATE images SET created_at = now() - interval '23 h' WHERE id = $1`, [waiting])
    const total = async (...args: string[]) => (await json('usage', ...args)).total.ordered
    assert.deepEqual(
      [await total('--since', '24h'), await total('--since', '22h'), await total('--until', '1d')],
      [1, 0, 5],
    )
    await query(server.databaseUrl, `UPDATE images SET created_at = '2026-03-01T00:00:00.001Z' WHERE id = $1`, [
      waiting,
    ])
  })

  test('of one account, and 5 for one that is not there', async () => {
    assert.deepEqual(Object.keys(await linesOf('model', '--account', named.accountId)).sort(), [
      'ideogram-3.0',
      'premium',
    ])
    const { code, stderr } = await wombat('usage', '--account', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01')
    assert.equal(code, 5)
    assert.match(stderr, /^wombat: there is no account /)
  })

  test('agrees with the ledger, which is sound', async () => {
    const [ledger] = await query(
      server.databaseUrl,
      `SELECT -sum(amount)::int AS net FROM ledger_entries WHERE kind IN ('charge', 'refund')`,
    )
    const { credits, faults } = await verifyLedger(server.db)
    assert.deepEqual(faults, [])
    for (const by of ['account', 'key', 'model', 'day', 'route']) {
      const { total } = await json('usage', '--by', by)
      assert.deepEqual(counts(total), [6, 3, 2, 38, 25, 13, 8, FAST + MEDIUM + IDEOGRAM_COST, 2], by)
      assert.equal(total.creditsNet, ledger.net)
      assert.equal(1000 + 100 - total.creditsNet, credits)
    }
  })

  test('as CSV: nothing else on standard output, no formulas, and no total', async () => {
    const { code, stdout } = await wombat('usage', '--by', 'account', '--csv')
    assert.equal(code, 0)
    const cost = `0.${String(FAST + MEDIUM).padStart(6, '0')}`
    assert.equal(
      stdout,
      `account,name,ordered,ready,failed,credits_charged,credits_refunded,credits_net,attempts,cost_usd,unknown_costs
${server.accountId},default,4,3,1,30,20,10,${OPENAI_CALLS},${cost},2
${named.accountId},"'=1+1, ""x""",2,0,1,8,5,3,3,9007.199255,0
`,
    )
    const none = await wombat('usage', '--by', 'key', '--until', '2000-01-01', '--csv')
    assert.match(none.stdout, /^key,name,last_four,ordered,.*unknown_costs\n$/)
  })

  test('for people, with a total', async () => {
    const { stdout } = await wombat('usage')
    assert.match(stdout, /^MODEL +ORDERED +READY +FAILED +CHARGED +REFUNDED +NET +ATTEMPTS +COST +UNKNOWN\n/)
    assert.match(stdout, /^ideogram-3\.0 +1 +0 +0 +3 +0 +3 +3 +\$9007\.199255 +0$/m)
    assert.match(stdout, /\nTOTAL +6 +3 +2 +38 +25 +13 +8 +\$900\d\.\d{6} +2\n$/)
    assert.equal((await wombat('usage', '--until', '2000-01-01')).stdout, 'Nothing was ordered.\n')
  })

  test('takes the time that it needs, whatever the database allows to others', async () => {
    await setOfDatabase('statement_timeout', '100ms')
    await setOfDatabase('lock_timeout', '100ms')
    try {
      await withClient(server.databaseUrl, async (blocker) => {
        await blocker.query('BEGIN')
        await blocker.query('LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE')
        const adding = sumUsage(server.db, { by: 'model' })
        // On another connection: within a transaction the first look at the activity stays.
        const isWaiting = async () => {
          const rows = await query(
            server.databaseUrl,
            `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
               AND query LIKE '%chosen%' AND clock_timestamp() - query_start > interval '300 ms'`,
          )
          return rows.length === 1
        }
        await Promise.race([until(isWaiting, { what: 'it waits for three times as long' }), adding])
        await blocker.query('ROLLBACK')
        assert.equal((await adding).length, 4)
      })
    } finally {
      await setOfDatabase('statement_timeout', '0')
      await setOfDatabase('lock_timeout', '0')
    }
  })
})
