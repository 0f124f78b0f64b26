/** Limits a minute that hold for several processes together, on PostgreSQL and on Redis. */
// Not once more on Redis and S3: it counts in both places itself.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startRedis, until } from '@wombat/testing'
import { query } from './image-tools.ts'
import type { Answer } from './send.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const CAT = { prompt: 'cat' }
const statusesOf = (answers: readonly Answer[]) => answers.map(({ status }) => status).sort()
const FIVE_OF_FORTY = [...Array<number>(5).fill(200), ...Array<number>(35).fill(429)]

for (const store of ['PostgreSQL', 'Redis'] as const) {
  describe(`limits counted in ${store}`, { timeout: 60_000 }, () => {
    test('of 40 POSTs at once to two processes exactly the limit passes, of a key and of an account', async () => {
      await using redis = await startRedis()
      const env = { ...(store === 'Redis' ? { REDIS_URL: redis.url } : {}), RATE_LIMIT_PER_MINUTE: '5' }
      await using one = await spawnTestServer({ role: 'api', env })
      await using other = await spawnTestServer({ role: 'api', env, beside: one })
      const ofKey = await one.createAccount()
      const ofAccount = await one.createAccount({ rateLimitPerMinute: 5, keyRateLimitPerMinute: 100 })
      for (const { apiKey } of [ofKey, ofAccount]) {
        const answers = await Promise.all(
          Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? one : other).post(CAT, { key: apiKey })),
        )
        assert.deepEqual(statusesOf(answers), FIVE_OF_FORTY)
        const remaining = answers.filter(({ status }) => status === 200).map(header('ratelimit-remaining'))
        assert.deepEqual(remaining.sort(), [0, 1, 2, 3, 4])
        for (const answer of answers) {
          assert.equal(header('ratelimit-limit')(answer), 5)
          const reset = header('ratelimit-reset')(answer)
          assert.ok(reset > 40 && reset <= 60, `${reset} s`)
        }
        // Also one after the other, and a process that has seen nothing of it yet knows.
        assert.equal((await one.post(CAT, { key: apiKey })).status, 429)
        await using late = await startTestServer({ role: 'api', env, beside: one })
        assert.equal((await late.post(CAT, { key: apiKey })).status, 429)
      }
      assert.equal(await one.balance(ofKey.accountId), 995)
    })

    test('a large limit is told a little later, no request escapes it, and a twentieth at most passes beyond it', async () => {
      await using redis = await startRedis()
      const env = { ...(store === 'Redis' ? { REDIS_URL: redis.url } : {}), RATE_LIMIT_PER_MINUTE: '100' }
      await using one = await startTestServer({ role: 'api', env })
      await using other = await startTestServer({ role: 'api', env, beside: one })
      const answers: Answer[] = []
      const client = async (server: typeof one) => {
        for (let turn = 0; turn < 30; turn += 1) {
          answers.push(await server.post(CAT))
        }
      }
      await Promise.all([one, other, one, other].map(client))
      const passed = answers.filter(({ status }) => status === 200).length
      assert.ok(passed >= 100 && passed <= 110, `${passed}`)
      const afterwards = await one.post(CAT)
      assert.equal(afterwards.status, 429)
    })

    test('wrong keys of an address count in both, and a good key is not concerned', async () => {
      await using redis = await startRedis()
      const env = { ...(store === 'Redis' ? { REDIS_URL: redis.url } : {}), AUTH_FAILURES_PER_MINUTE: '4' }
      await using one = await startTestServer({ role: 'api', env })
      await using other = await startTestServer({ role: 'api', env, beside: one })
      const statuses = []
      for (const server of [one, other, one, other, one, other]) {
        statuses.push((await server.post(CAT, { key: crypto.randomUUID() })).status)
      }
      assert.deepEqual(statuses, [401, 401, 401, 401, 429, 429])
      assert.equal((await other.post(CAT)).status, 200)
    })
  })
}

test('when Redis is away, or hangs, each process counts for itself and no POST fails or waits for it twice', async () => {
  await using redis = await startRedis()
  const env = { REDIS_URL: redis.url, RATE_LIMIT_PER_MINUTE: '3' }
  await using server = await startTestServer({ role: 'api', env })
  for (const harm of [() => redis.stop(), async () => redis.freeze()]) {
    const { apiKey } = await server.createAccount()
    assert.equal((await server.post(CAT, { key: apiKey })).status, 200)
    await harm()
    const startedMs = performance.now()
    const statuses = []
    for (let turn = 0; turn < 4; turn += 1) {
      statuses.push((await server.post(CAT, { key: apiKey })).status)
    }
    assert.deepEqual(statuses, [200, 200, 429, 429])
    const ms = performance.now() - startedMs
    assert.ok(ms < 2_500, `${ms} ms`)
    redis.thaw()
    if (harm.toString().includes('stop')) {
      await redis.start()
    }
    await until(async () => (await server.engine.counters.count([crypto.randomUUID()])) !== undefined, {
      what: 'counts are shared again',
    })
  }
})

test('a minute that is over begins anew, in the row that is there', async () => {
  await using server = await startTestServer({ role: 'api', env: { RATE_LIMIT_PER_MINUTE: '2' } })
  const { apiKey } = await server.createAccount()
  const send = async () => (await server.post(CAT, { key: apiKey })).status
  assert.deepEqual([await send(), await send()], [200, 200])
  await query(server.databaseUrl, `UPDATE rate_counts SET resets_at = now() - interval '1 second'`)
  assert.deepEqual([await send(), await send(), await send()], [200, 200, 429])
  const rows = await query(server.databaseUrl, 'SELECT count FROM rate_counts')
  assert.deepEqual(
    rows.map(({ count }) => count),
    [3],
  )
})

function header(name: string): (answer: Answer) => number {
  return ({ headers }) => Number(headers.get(name))
}
