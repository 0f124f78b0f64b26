import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import { createTemporaryDirectory, startLeonardoEmulator, startOpenAiEmulator, until } from '@wombat/testing'
import { attemptsMade, inWords } from './attempts-made.ts'
import { openDatabaseProxy } from './database-proxy.ts'
import { order, orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

/** Found by a review of the routes: each was paid twice, or turned in circles. */
describe('what may have been paid for', { timeout: 90_000, concurrency: 2 }, () => {
  for (const how of ['kill', 'stop'] as const) {
    test(`is not done again after a ${how} where that is not wanted: the credits come back`, async () => {
      await using openai = await startOpenAiEmulator({ latencyMs: 60_000 })
      const env = {
        OPENAI_API_KEY: 'sk-check',
        OPENAI_BASE_URL: openai.url,
        RETRY_UNKNOWN: 'off',
        SHUTDOWN_GRACE_SECONDS: '0.2',
      }
      await using server = await spawnTestServer({ env })
      const id = await orderOne(server)
      await until(() => Promise.resolve(openai.requests.length === 1), { what: 'the call is under way' })
      await server[how]()
      openai.setLatency(0)
      await server.start()
      const answer = await server.get(pathOf(id))
      assert.deepEqual([answer.status, answer.error.code], [410, 'generation_failed'])
      assert.equal(openai.requests.length, 1)
      assert.deepEqual((await verifyLedger(server.db)).faults, [])
    })
  }

  test('is kept when the database is away at the moment at which the picture arrives', async () => {
    await using openai = await startOpenAiEmulator({ latencyMs: 500 })
    const env = { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: openai.url, LEASE_SECONDS: '20' }
    await using maker = await startTestServer({ role: 'api', env })
    using proxy = await openDatabaseProxy(maker.databaseUrl)
    await using worker = await startTestServer({ role: 'worker', env, beside: { ...maker, databaseUrl: proxy.url } })
    const { db } = worker.engine
    const run = db.run.bind(db)
    let receiptsLost = 0
    const watched: typeof db.run = async (statement, values) => {
      try {
        return await run(statement, values)
      } catch (error) {
        receiptsLost += statement.name === 'close-attempt' ? 1 : 0
        throw error
      }
    }
    Object.assign(db, { run: watched })
    const id = await orderOne(maker)
    await until(() => Promise.resolve(openai.requests.length === 1), { what: 'the call is under way' })
    proxy.cut()
    await until(() => Promise.resolve(receiptsLost > 0), { what: 'its receipt can not be written' })
    await proxy.mend()
    assert.equal((await maker.get(pathOf(id))).status, 200)
    assert.deepEqual((await attemptsMade(maker.databaseUrl, id)).map(inWords), ['openai done'])
    assert.equal(openai.requests.length, 1)
  })

  test('as a job of a route that is parked waits for that route, and keeps nobody from the other one', async () => {
    await using leonardo = await startLeonardoEmulator({ jobMs: 60_000 })
    await using directory = await createTemporaryDirectory()
    const file = path.join(directory.path, 'wombat.yaml')
    const route = (name: string) =>
      `  - {name: ${name}, adapter: leonardo, key: "${name}", baseUrl: "${leonardo.url}"}\n`
    writeFileSync(file, `routes:\n${route('a')}${route('b')}`)
    const env = {
      ROUTES_FILE: file,
      PROVIDER_ALLOW_PRIVATE: 'true',
      LEONARDO_POLL_SECONDS: '0.05',
      RETRY_MAX_DELAY_SECONDS: '60',
      BREAKER_FAILURES: '100',
    }
    await using server = await startTestServer({ env })
    const id = await orderOne(server, { model: 'standard' })
    const isKept = async () => (await attemptsMade(server.databaseUrl, id))[0]?.jobId != null
    await until(isKept, { what: 'the job is taken' })
    leonardo.setFault('access_denied', { path: '/v1/generations/', times: 1 })
    const isParked = async () =>
      (await query(server.databaseUrl, `SELECT FROM route_states WHERE route = 'a' AND state = 'parked'`)).length === 1
    await until(isParked, { what: 'its route is parked' })
    leonardo.setJobMs(0)
    const others = await order(server, { model: 'standard', numImages: 4 })
    for (const other of others) {
      assert.equal((await server.get(pathOf(other))).status, 200)
      assert.deepEqual((await attemptsMade(server.databaseUrl, other)).map(inWords), ['b done'])
    }
    const [row] = await query(server.databaseUrl, 'SELECT status, fence FROM images WHERE id = $1', [id])
    assert.deepEqual({ ...row }, { status: 'queued', fence: 1 })
    const { resumeRoute } = await import('@wombat/images')
    await resumeRoute(server.db, 'a')
    assert.equal((await server.get(pathOf(id))).status, 200)
    const [attempt] = await attemptsMade(server.databaseUrl, id)
    assert.equal(attempt && inWords(attempt), 'a done')
    assert.equal(leonardo.requests.filter(({ method }) => method === 'POST').length, 5)
    const receipts = await query(
      server.databaseUrl,
      'SELECT cost_micro_usd::int AS cost FROM attempts WHERE image_id = $1',
      [id],
    )
    assert.ok(receipts.length === 1 && Number(receipts[0]?.cost) > 0, 'the price that the order told is kept')
  })
})
