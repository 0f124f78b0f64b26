/** What a key may spend in a day and in a month, whatever its account has. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { changeKey, createKey, type KeyLimits } from '@wombat/accounts'
import { failImage, verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { idOf, query } from './image-tools.ts'
import type { Answer } from './send.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())
// A second process, since one of them could count for itself.
const second = await spawnTestServer({ role: 'api', beside: server })
after(() => second[Symbol.asyncDispose]())

const CAT = { prompt: 'cat' }

async function createKeyWith(limits: Partial<KeyLimits>, credits = 1000) {
  return await server.createAccount({ credits, limits })
}

function countStatuses(answers: readonly Answer[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) {
    counts[status] = (counts[status] ?? 0) + 1
  }
  return counts
}

async function spent(keyId: string): Promise<Record<string, number>> {
  const rows = await query(
    server.databaseUrl,
    `SELECT period, spent FROM key_spending WHERE key_id = $1 AND begins = date_trunc(period, now() AT TIME ZONE 'UTC')::date`,
    [keyId],
  )
  return Object.fromEntries(rows.map(({ period, spent: credits }) => [period, credits]))
}

async function assertLedgerAgrees(): Promise<void> {
  assert.deepEqual((await verifyLedger(server.db)).faults, [])
}

/** The first moment of the next day or month in UTC. */
function nextPeriod(period: 'day' | 'month'): string {
  const now = new Date()
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  return new Date(period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1, 1)).toISOString()
}

/** A budget that is met a second before midnight is another one a second after. */
async function awayFromMidnight(): Promise<void> {
  const left = () => Date.parse(nextPeriod('day')) - Date.now()
  await until(() => left() > 30_000, { timeoutMs: 60_000, what: 'midnight is over' })
}

describe('budgets', { timeout: 120_000 }, () => {
  test('403 says which budget, what is spent of it and when it begins anew; nothing is charged', async () => {
    await awayFromMidnight()
    const { apiKey, accountId } = await createKeyWith({ dailyBudget: 3 })
    assert.equal((await server.post({ ...CAT, numImages: 2 }, { key: apiKey })).status, 200)
    const answer = await server.post({ ...CAT, numImages: 2 }, { key: apiKey })
    assert.equal(answer.status, 403)
    assert.equal(answer.error.code, 'budget_exceeded')
    assert.deepEqual(answer.error.details, { period: 'day', budget: 3, spent: 2, resetsAt: nextPeriod('day') })
    assert.equal(answer.error.error, 'This request costs 2 credits, and this API key has spent 2 of its 3 for a day.')
    assert.equal(await server.balance(accountId), 998)
    assert.equal((await second.post(CAT, { key: apiKey })).status, 200)
    assert.equal((await second.post(CAT, { key: apiKey })).status, 403)
    await assertLedgerAgrees()
  })

  test('of two that are met, the one that lasts longer is told; a budget of 0 allows nothing', async () => {
    await awayFromMidnight()
    const both = await createKeyWith({ dailyBudget: 0, monthlyBudget: 0 })
    assert.deepEqual((await server.post(CAT, { key: both.apiKey })).error.details, {
      period: 'month',
      budget: 0,
      spent: 0,
      resetsAt: nextPeriod('month'),
    })
    const daily = await createKeyWith({ dailyBudget: 0, monthlyBudget: 10 })
    assert.equal((await server.post(CAT, { key: daily.apiKey })).error.details?.period, 'day')
  })

  test('a budget stands before the balance, and after the plan and what the key allows', async () => {
    const limits = { dailyBudget: 0, allowedModels: ['gpt-image-2', 'premium'] }
    const { apiKey } = await server.createAccount({ plan: 'basic', credits: 0, limits })
    const codeOf = async (body: object, key = apiKey) => (await server.post(body, { key })).error.code
    assert.equal(await codeOf({ prompt: '' }), 'invalid_request')
    assert.equal(await codeOf({ ...CAT, model: 'premium' }), 'plan_required')
    assert.equal(await codeOf({ ...CAT, model: 'standard' }), 'key_not_allowed')
    assert.equal(await codeOf(CAT), 'budget_exceeded')
    const poor = await createKeyWith({ dailyBudget: 5 }, 0)
    assert.equal(await codeOf(CAT, poor.apiKey), 'insufficient_credits')
    assert.deepEqual(await spent(poor.keyId), { day: 0, month: 0 })
  })

  test('500 POSTs at once, in two processes, on budgets for 30 and for 70: exactly so many are taken', async () => {
    await awayFromMidnight()
    const first = await createKeyWith({ dailyBudget: 30, monthlyBudget: 1000 })
    const other = await createKeyWith({ monthlyBudget: 70 })
    const send = (key: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, number) => (number % 2 === 0 ? server : second).post(CAT, { key })))
    const [ofFirst, ofOther] = await Promise.all([send(first.apiKey, 250), send(other.apiKey, 250)])
    assert.deepEqual(countStatuses(ofFirst), { 200: 30, 403: 220 })
    assert.deepEqual(countStatuses(ofOther), { 200: 70, 403: 180 })
    assert.equal(await server.balance(first.accountId), 970)
    assert.equal(await server.balance(other.accountId), 930)
    assert.deepEqual(await spent(first.keyId), { day: 30, month: 30 })
    assert.deepEqual(await spent(other.keyId), { day: 70, month: 70 })
    await assertLedgerAgrees()
  })

  test('500 POSTs at once of one key on a budget for 100, with prices of 1 and 8: never more than 100', async () => {
    await awayFromMidnight()
    const { apiKey, accountId, keyId } = await createKeyWith({ dailyBudget: 100 })
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, number) =>
        (number % 2 === 0 ? server : second).post(
          { ...CAT, ...(number % 5 === 0 ? { quality: 'medium' } : {}) },
          { key: apiKey },
        ),
      ),
    )
    const charged = answers.reduce((sum, { headers }) => sum + Number(headers.get('x-credits-charged')), 0)
    assert.equal(charged, 100)
    assert.equal(await server.balance(accountId), 900)
    assert.deepEqual(await spent(keyId), { day: 100, month: 100 })
    await assertLedgerAgrees()
  })

  test('a refund gives the budget back in the same transaction', async () => {
    await awayFromMidnight()
    const { apiKey, keyId } = await createKeyWith({ dailyBudget: 16, monthlyBudget: 16 })
    const { images } = await server.post({ ...CAT, quality: 'medium', numImages: 2 }, { key: apiKey })
    assert.equal((await server.post(CAT, { key: apiKey })).status, 403)
    const imageId = idOf(images[0]?.url ?? '')
    const failure = { imageId, fence: undefined, code: 'generation_failed', message: '' }
    assert.equal(await failImage(server.db, failure), true)
    assert.deepEqual(await spent(keyId), { day: 8, month: 8 })
    assert.equal(await failImage(server.db, failure), false)
    assert.deepEqual(await spent(keyId), { day: 8, month: 8 })
    assert.equal((await second.post({ ...CAT, quality: 'medium' }, { key: apiKey })).status, 200)
    assert.equal((await second.post(CAT, { key: apiKey })).status, 403)
    await assertLedgerAgrees()
  })

  test('a replay costs nothing of it, and a new budget counts what was spent before it', async () => {
    await awayFromMidnight()
    const { apiKey, keyId } = await server.createAccount()
    const headers = { 'Idempotency-Key': 'one' }
    assert.equal((await server.post({ ...CAT, numImages: 4 }, { key: apiKey, headers })).status, 200)
    assert.deepEqual(await spent(keyId), {})
    await changeKey(server.db, keyId, { dailyBudget: 5 })
    assert.deepEqual(await spent(keyId), { day: 4, month: 4 })
    const again = await server.post({ ...CAT, numImages: 4 }, { key: apiKey, headers })
    assert.equal(again.headers.get('idempotent-replayed'), 'true')
    assert.equal((await server.post(CAT, { key: apiKey })).status, 200)
    assert.equal((await server.post(CAT, { key: apiKey })).error.code, 'budget_exceeded')
    assert.equal((await server.post({ ...CAT, numImages: 4 }, { key: apiKey, headers })).status, 200)
    await assertLedgerAgrees()
    await changeKey(server.db, keyId, { dailyBudget: null })
    assert.deepEqual(await spent(keyId), {})
    assert.equal((await server.post(CAT, { key: apiKey })).status, 200)
  })

  test('a change is in force with its commit: the transaction reads it, no memory of a process', async () => {
    await awayFromMidnight()
    const { apiKey, keyId, accountId } = await server.createAccount()
    for (const one of [server, second]) {
      assert.equal((await one.post(CAT, { key: apiKey })).status, 200)
    }
    // As if its notification were lost.
    await query(server.databaseUrl, 'UPDATE api_keys SET monthly_budget = 3 WHERE id = $1', [keyId])
    assert.equal((await second.post(CAT, { key: apiKey })).status, 200)
    for (const one of [server, second]) {
      assert.deepEqual((await one.post(CAT, { key: apiKey })).error.details?.spent, 3)
    }
    assert.equal(await server.balance(accountId), 997)
    await assertLedgerAgrees()
  })

  test('keys of one account have their own budgets, and one without has none', async () => {
    await awayFromMidnight()
    const { apiKey, accountId } = await createKeyWith({ dailyBudget: 1 })
    const [free, narrow] = await Promise.all([
      createKey(server.db, { accountId }),
      createKey(server.db, { accountId, limits: { dailyBudget: 2 } }),
    ])
    const answers = await Promise.all(
      [apiKey, free.apiKey, narrow.apiKey].flatMap((key) => Array.from({ length: 5 }, () => server.post(CAT, { key }))),
    )
    const taken = [0, 5, 10].map((from) => answers.slice(from, from + 5).filter(({ status }) => status === 200).length)
    assert.deepEqual(taken, [1, 5, 2])
    assert.deepEqual(await spent(free.keyId), {})
    await assertLedgerAgrees()
  })
})

// Last, since they move the time of everything.
describe('over midnight', { timeout: 60_000 }, () => {
  test('a day ends while its month goes on, then the month; verify tells rows that the ledger does not bear out', async () => {
    await awayFromMidnight()
    await using alone = await startTestServer({ role: 'api', env: { DEV_MODE: 'true' } })
    const { apiKey, keyId } = await alone.createAccount({ limits: { dailyBudget: 2, monthlyBudget: 3 } })
    await alone.post({ ...CAT, numImages: 2 }, { key: apiKey })
    const details = async () => (await alone.post(CAT, { key: apiKey })).error.details
    assert.equal((await details())?.period, 'day')
    // As a day later, and still in the same month: the row of the day is the only one to move.
    await query(alone.databaseUrl, `UPDATE key_spending SET begins = begins - 1 WHERE period = 'day'`)
    assert.equal((await alone.post(CAT, { key: apiKey })).status, 200)
    assert.deepEqual({ ...(await details()), resetsAt: '' }, { period: 'month', budget: 3, spent: 3, resetsAt: '' })
    await query(
      alone.databaseUrl,
      `UPDATE key_spending SET begins = begins - interval '1 month' WHERE period = 'month'`,
    )
    assert.equal((await alone.post(CAT, { key: apiKey })).status, 200)
    assert.equal((await details())?.period, 'day')
    // The ledger knows better, and says so.
    const { faults } = await verifyLedger(alone.db)
    assert.deepEqual(
      faults.map(({ rule, subject }) => [rule, subject]),
      Array.from({ length: 2 }, () => [
        'a key has spent of its budget what its requests were charged, less refunds',
        keyId,
      ]),
    )
  })

  test('when the clock of development is moved by a month, budgets are new, and the ledger agrees', async () => {
    await awayFromMidnight()
    await using alone = await startTestServer({ role: 'api', env: { DEV_MODE: 'true' } })
    const { apiKey } = await alone.createAccount({ limits: { dailyBudget: 1, monthlyBudget: 1 } })
    const { images } = await alone.post(CAT, { key: apiKey })
    assert.equal((await alone.post(CAT, { key: apiKey })).status, 403)
    const [row] = await query(alone.databaseUrl, `SELECT advance_dev_clock(32 * 86400000::bigint) AS moved`)
    assert.equal(row?.moved, true)
    assert.equal((await alone.post(CAT, { key: apiKey })).status, 200)
    assert.equal((await alone.post(CAT, { key: apiKey })).status, 403)
    // The refund of what was bought a month ago gives nothing back of this one.
    const imageId = idOf(images[0]?.url ?? '')
    assert.equal(await failImage(alone.db, { imageId, fence: undefined, code: 'generation_failed', message: '' }), true)
    assert.equal((await alone.post(CAT, { key: apiKey })).status, 403)
    assert.deepEqual((await verifyLedger(alone.db)).faults, [])
  })
})
