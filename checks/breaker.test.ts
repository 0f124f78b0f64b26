// Not once more on Redis and S3: breakers are in PostgreSQL with Redis too, and outage.test.ts has one there.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listRouteStates, resumeRoute } from '@wombat/images'
import { verifyLedger } from '@wombat/ledger'
import { type OpenAiFault, startIdeogramEmulator, startOpenAiEmulator, until } from '@wombat/testing'
import { attemptsMade, inWords } from './attempts-made.ts'
import { assertAllDelivered, orderMany, recordTransitions, untilReady } from './ending.ts'
import { idOf, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

/** Outages of hours in seconds: every figure is a hundredth of its default or less. */
const SCALED = { RETRY_MAX_DELAY_SECONDS: '1', BREAKER_OPEN_SECONDS: '0.1', BREAKER_FAILURES: '5' }

async function start(env: Readonly<Record<string, string>> = {}) {
  const [openai, ideogram] = await Promise.all([startOpenAiEmulator(), startIdeogramEmulator()])
  const server = await startTestServer({
    env: {
      OPENAI_API_KEY: 'sk-check',
      OPENAI_BASE_URL: openai.url,
      IDEOGRAM_API_KEY: 'check',
      IDEOGRAM_BASE_URL: ideogram.origin,
      PROVIDER_ALLOW_PRIVATE: 'true',
      ...SCALED,
      ...env,
    },
  })
  return {
    openai,
    ideogram,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await openai.close()
      await ideogram.close()
    },
  }
}

async function stateOf(server: TestServer, route: string) {
  return (await listRouteStates(server.db)).find((state) => state.route === route)
}

function untilState(server: TestServer, state: string) {
  return until(async () => (await stateOf(server, 'openai'))?.state === state, { what: `the route is ${state}` })
}

describe('an outage of OpenAI', { timeout: 120_000, concurrency: 3 }, () => {
  for (const [fault, during] of [
    ['overloaded', 160],
    ['reset_after_reading', 60],
    ['insufficient_quota', 60],
  ] as const satisfies [OpenAiFault, number][]) {
    const count = 40 + during
    test(`with ${count} images under way (${fault}): all arrive, none is charged twice, Ideogram's are unaffected`, async () => {
      await using upstreams = await start({ UNKNOWN_ATTEMPTS_LIMIT: '20', OPENAI_CONCURRENCY: '16' })
      const { openai, ideogram, server } = upstreams
      await recordTransitions(server.databaseUrl)
      const ids = await orderMany(server, 40)
      openai.setFault(fault)
      ids.push(...(await orderMany(server, during)))
      await untilState(server, fault === 'insufficient_quota' ? 'parked' : 'open')

      const startedMs = performance.now()
      const others = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const { images } = await server.post({ prompt: 'wombat', model: 'ideogram-3.0' })
          const id = idOf(images[0]?.url ?? '')
          assert.equal((await server.get(pathOf(id))).status, 200)
          return id
        }),
      )
      // Behind OpenAI's they would wait for the end of the outage.
      assert.ok(performance.now() - startedMs < 20_000, 'Ideogram is as quick as ever')
      assert.ok((await stateOf(server, 'openai'))?.state !== 'closed')
      // While it is down nobody hammers it: a trial now and then.
      const calls = openai.requests.length
      await until(() => Promise.resolve(openai.requests.length >= calls + 2), { what: 'two more trials' })
      const seconds = (performance.now() - startedMs) / 1000
      assert.ok(openai.requests.length - calls <= 4 + 4 * seconds, `${openai.requests.length - calls} in ${seconds} s`)

      openai.setFault(undefined)
      await untilReady(server, count + others.length, 60_000)
      await assertCharged(server, ids, { each: 1 })
      await assertCharged(server, others, { each: 3 })
      assert.equal((await verifyLedger(server.db)).faults.length, 0)
      const done = (await attemptsMade(server.databaseUrl)).filter(({ outcome }) => outcome === 'done')
      assert.equal(done.length, count + others.length, 'one picture an image')
      assert.equal(ideogram.requests.filter(({ method }) => method === 'POST').length, 6)
      assert.equal((await stateOf(server, 'openai'))?.state, 'closed')
    })
  }

  test('nothing lost when the server knows only one upstream and that is away from the start', async () => {
    await using upstreams = await start()
    const { openai, server } = upstreams
    await recordTransitions(server.databaseUrl)
    openai.setFault('bad_gateway_html')
    const ids = await orderMany(server, 12)
    await untilState(server, 'open')
    openai.setFault(undefined)
    await untilReady(server, 12)
    await assertAllDelivered(server, ids)
  })
})

async function assertCharged(server: TestServer, ids: readonly string[], { each }: { each: number }) {
  const entries = await query(
    server.databaseUrl,
    'SELECT ref, array_agg(amount) AS amounts FROM ledger_entries WHERE ref = ANY ($1) GROUP BY ref',
    [ids],
  )
  assert.equal(entries.length, ids.length)
  assert.ok(entries.every(({ amounts }) => amounts.length === 1 && amounts[0] === -each))
}

describe('the breaker', { timeout: 60_000, concurrency: 3 }, () => {
  test('opens for all workers after failures in a row, and one call at a time finds out whether it is over', async () => {
    await using upstreams = await start({ BREAKER_FAILURES: '3', OPENAI_CONCURRENCY: '2' })
    const { openai, server } = upstreams
    await using _second = await startTestServer({
      role: 'worker',
      beside: server,
      env: {
        OPENAI_API_KEY: 'sk-check',
        OPENAI_BASE_URL: openai.url,
        ...SCALED,
        BREAKER_FAILURES: '3',
        OPENAI_CONCURRENCY: '2',
      },
    })
    // The free check of the key works as ever.
    openai.setFault('server_error', { path: '/images/' })
    const ids = await orderMany(server, 12)
    await untilState(server, 'open')
    const openedAt = (await attemptsMade(server.databaseUrl)).length
    await until(async () => (await attemptsMade(server.databaseUrl)).length >= openedAt + 3, { what: 'three trials' })
    const trials = (await attemptsMade(server.databaseUrl)).slice(openedAt + 1)
    for (const [index, trial] of trials.entries()) {
      const earlier = trials[index - 1]
      assert.ok(earlier === undefined || (earlier.finishedAt ?? Infinity) <= trial.startedAt, 'one at a time')
    }
    openai.setFault(undefined)
    await untilReady(server, ids.length)
  })

  test('a success between failures keeps it closed', async () => {
    await using upstreams = await start({ BREAKER_FAILURES: '3' })
    const { openai, server } = upstreams
    for (let round = 0; round < 3; round += 1) {
      openai.setFault('server_error', { times: 2 })
      assert.equal((await server.get(pathOf(await orderOne(server)))).status, 200)
    }
    assert.equal((await stateOf(server, 'openai'))?.state, 'closed')
  })

  test('a route that is parked for long is back at once when the operator says so', async () => {
    await using upstreams = await start({ RETRY_MAX_DELAY_SECONDS: '3600' })
    const { openai, server } = upstreams
    openai.setFault('invalid_api_key')
    const ids = await orderMany(server, 4)
    await untilState(server, 'parked')
    const { openUntil, reason } = (await stateOf(server, 'openai')) ?? {}
    assert.ok((openUntil?.getTime() ?? 0) > Date.now() + 1_000_000)
    assert.match(reason ?? '', /^credentials: OpenAI answered 401/)
    openai.setFault(undefined)
    assert.equal(await resumeRoute(server.db, 'openai'), true)
    await untilReady(server, ids.length)
    assert.equal(await resumeRoute(server.db, 'nobody'), false)
  })

  test('an upstream that asks for a pause is left alone by everybody, and is not down', async () => {
    await using upstreams = await start()
    const { openai, server } = upstreams
    const slow = {
      status: 429,
      headers: { 'retry-after': '2' },
      error: { message: 'Slow.', type: 'requests', param: null, code: null },
    }
    openai.setFault(slow, { times: 1 })
    const first = await orderOne(server)
    await until(async () => (await stateOf(server, 'openai'))?.pausedUntil != null, { what: 'the pause' })
    const others = await order(server, { numImages: 4 })
    await untilReady(server, 5)
    const attempts = await attemptsMade(server.databaseUrl)
    assert.equal(inWords(attempts[0] ?? assert.fail()), 'openai not_sent throttled')
    assert.ok(attempts.slice(1).every(({ startedAt, outcome }) => startedAt >= 1.9 && outcome === 'done'))
    assert.equal(attempts.length, 1 + others.length + [first].length)
  })
})

describe('a backlog', { timeout: 60_000, concurrency: 2 }, () => {
  test('is worked off oldest first', async () => {
    await using upstreams = await start({ OPENAI_CONCURRENCY: '1' })
    const { openai, server } = upstreams
    openai.setFault('server_error')
    const ids: string[] = []
    for (let n = 0; n < 12; n += 1) {
      ids.push(await orderOne(server))
    }
    await untilState(server, 'open')
    openai.setFault(undefined)
    await untilReady(server, ids.length)
    const done = (await attemptsMade(server.databaseUrl)).filter(({ outcome }) => outcome === 'done')
    const places = done.map(({ imageId }) => ids.indexOf(imageId))
    // A trial may have taken one image out of its turn, which then stands in its back-off until the route is back.
    const outOfTurn = places.filter((place, index) => place < (places[index - 1] ?? -1))
    assert.ok(outOfTurn.length <= 2, places.join(' '))
  })

  test('of one account does not keep the others waiting', async () => {
    await using upstreams = await start({ OPENAI_CONCURRENCY: '1' })
    const { openai, server } = upstreams
    openai.setLatency(30)
    const many = await orderMany(server, 60)
    const other = await server.createAccount()
    const few = (
      await server.post({ prompt: 'wombat', enhancePrompt: 'off', numImages: 4 }, { key: other.apiKey })
    ).images.map(({ url }) => idOf(url))
    await untilReady(server, 64)
    const made = (await attemptsMade(server.databaseUrl)).map(({ imageId }) => imageId)
    const places = few.map((id) => made.indexOf(id)).sort((a, b) => a - b)
    const firstPlace = places[0] ?? Number.NaN
    assert.ok((places[3] ?? Number.NaN) <= firstPlace + 10, `places ${places.join(' ')} of ${made.length}`)
    assert.ok(firstPlace < 50, `place ${firstPlace}`)
    assert.equal(new Set(made).size, many.length + few.length)
  })
})
