// Not once more on Redis and S3: it is about what adapters make of a picture, which know of no queue and no store.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LISTED_SIZES } from '@wombat/contract'
import { verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { attemptsMade, inWords } from './attempts-made.ts'
import { countStates, decode, orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'
import { startUpstreams } from './upstreams.ts'

describe('with a key of each upstream', { timeout: 120_000 }, () => {
  let upstreams: Awaited<ReturnType<typeof startUpstreams>>
  let server: Awaited<ReturnType<typeof startTestServer>>
  before(async () => {
    upstreams = await startUpstreams()
    server = await startTestServer({ env: { ...upstreams.env, SYNTHETIC: 'off' } })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await upstreams[Symbol.asyncDispose]()
  })

  for (const [model, provider] of [
    ['ideogram-3.0', 'ideogram'],
    ['nano-banana-2', 'gemini'],
    ['standard', 'leonardo'],
    ['premium', 'leonardo'],
  ] as const) {
    test(`${model} is made by ${provider}, in each listed size to the pixel`, async () => {
      const { accountId, apiKey } = await server.createAccount()
      for (const { width, height } of LISTED_SIZES) {
        const answer = await server.post({ prompt: 'wombat', model, size: `${width}x${height}` }, { key: apiKey })
        assert.equal(answer.headers.get('x-provider'), provider)
        assert.equal(answer.headers.get('x-effective-size'), `${width}x${height}`)
        const { status, bytes } = await server.get(answer.images[0]?.url ?? '')
        assert.equal(status, 200)
        assert.deepEqual(await decode(bytes), { format: 'jpeg', width, height })
      }
      const receipts = await query(
        server.databaseUrl,
        `SELECT a.route, a.upstream_id, a.latency_ms, a.cost_micro_usd::int AS cost FROM attempts a
         JOIN images i ON i.id = a.image_id WHERE i.account_id = $1`,
        [accountId],
      )
      assert.equal(receipts.length, LISTED_SIZES.length)
      for (const { route, upstream_id, latency_ms, cost } of receipts) {
        assert.equal(route, provider)
        assert.ok(upstream_id.length > 5 && latency_ms >= 0 && cost > 10_000, JSON.stringify([upstream_id, cost]))
      }
    })
  }
})

describe('a job that the upstream goes on with', { timeout: 90_000, concurrency: 3 }, () => {
  test('of Leonardo is resumed by the next worker when the first is killed: no second create', async () => {
    await using upstreams = await startUpstreams()
    const { leonardo, env } = upstreams
    leonardo.setJobMs(60_000)
    await using api = await startTestServer({ role: 'api', env })
    await using worker = await spawnTestServer({ role: 'worker', env, beside: api })
    const id = await orderOne(api, { model: 'standard' })
    const isKept = async () => (await attemptsMade(api.databaseUrl, id))[0]?.jobId != null
    await until(isKept, { what: "the job's id is written down" })
    await worker.kill()
    leonardo.setJobMs(0)
    await worker.start()
    const { status, bytes } = await api.get(pathOf(id))
    assert.equal(status, 200)
    await decode(bytes)
    const attempts = await attemptsMade(api.databaseUrl, id)
    assert.deepEqual(attempts.map(inWords), ['leonardo done'])
    assert.equal(leonardo.requests.filter(({ method }) => method === 'POST').length, 1)
    const [row] = await query(api.databaseUrl, 'SELECT fence FROM images WHERE id = $1', [id])
    assert.equal(row.fence, 2)
    assert.deepEqual((await verifyLedger(api.db)).faults, [])
  })

  test('of Leonardo is resumed after a restart in good order, and after an outage of its polls', async () => {
    await using upstreams = await startUpstreams()
    const { leonardo, env } = upstreams
    leonardo.setJobMs(60_000)
    const settings = { ...env, PROVIDER_TIMEOUT_SECONDS: '1', SHUTDOWN_GRACE_SECONDS: '0.2' }
    await using server = await spawnTestServer({ env: settings })
    const id = await orderOne(server, { model: 'premium' })
    const isKept = async () => (await attemptsMade(server.databaseUrl, id))[0]?.jobId != null
    await until(isKept, { what: "the job's id is written down" })
    await server.stop()
    assert.deepEqual(await countStates(server.databaseUrl), { queued: 1 })
    leonardo.setFault('server_error', { path: '/v1/generations/' })
    leonardo.setJobMs(0)
    const asked = leonardo.requests.length
    await server.start()
    await until(() => Promise.resolve(leonardo.requests.length >= asked + 3), {
      timeoutMs: 20_000,
      what: 'polls that fail',
    })
    leonardo.setFault(undefined)
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), ['leonardo done'])
    assert.equal(leonardo.requests.filter(({ method }) => method === 'POST').length, 1)
  })

  test('a link of Ideogram that fails for a while is kept: no second picture is paid for', async () => {
    await using upstreams = await startUpstreams()
    const { ideogram, env } = upstreams
    await using server = await startTestServer({ env })
    ideogram.setFault('server_error', { path: '/api/images/' })
    const id = await orderOne(server, { model: 'ideogram-3.0' })
    const tries = () => ideogram.requests.filter(({ method }) => method === 'GET').length
    await until(() => Promise.resolve(tries() >= 6), { what: 'six tries of the link' })
    ideogram.setFault(undefined)
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.equal(ideogram.requests.filter(({ pictures }) => pictures > 0).length, 1)
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), ['ideogram done'])
  })

  test('a link that is dead is given up: the picture is paid for again, up to the limit', async () => {
    await using upstreams = await startUpstreams()
    const { ideogram, env } = upstreams
    await using server = await startTestServer({ env: { ...env, UNKNOWN_ATTEMPTS_LIMIT: '2' } })
    ideogram.setFault('dead_link', { times: 1 })
    const id = await orderOne(server, { model: 'ideogram-3.0' })
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), [
      'ideogram unknown unknown',
      'ideogram done',
    ])
    ideogram.setFault('dead_link')
    const lost = await orderOne(server, { model: 'ideogram-3.0' })
    const answer = await server.get(pathOf(lost))
    assert.deepEqual([answer.status, answer.error.code], [410, 'generation_failed'])
    assert.equal((await attemptsMade(server.databaseUrl, lost)).length, 3)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})

describe('Gemini', { timeout: 60_000 }, () => {
  test('that gives no picture and no reason is asked twice more, and then the credits come back', async () => {
    await using upstreams = await startUpstreams()
    const { gemini, env } = upstreams
    await using server = await startTestServer({ env })
    gemini.setFault({ finishReason: 'NO_IMAGE', content: 'empty' })
    const id = await orderOne(server, { model: 'nano-banana-2' })
    const answer = await server.get(pathOf(id))
    assert.deepEqual([answer.status, answer.error.code], [410, 'generation_failed'])
    assert.deepEqual(
      (await attemptsMade(server.databaseUrl, id)).map(inWords),
      Array.from({ length: 3 }, () => 'gemini refused no_picture'),
    )
    gemini.setFault({ finishReason: 'IMAGE_SAFETY', content: 'empty' })
    const refused = await server.get(pathOf(await orderOne(server, { model: 'nano-banana-2' })))
    assert.equal(refused.status, 422)
    assert.match(refused.error.message, /refused this request for its content: image_safety\.$/)
  })
})
