import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { listRouteStates } from '@wombat/images'
import { verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { decode, idOf, openRaw, pathOf, query, readChunks, requestText } from './image-tools.ts'
import type { Answer } from './send.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const server = await startTestServer({ env: { DEV_MODE: 'true', RETRY_MAX_DELAY_SECONDS: '0.05' } })
after(() => server[Symbol.asyncDispose]())

const BODY = { prompt: 'wombat', enhancePrompt: 'off' }

async function ask(simulate: string, fields: object = {}, at: TestServer = server): Promise<Answer> {
  return await at.post({ ...BODY, ...fields }, { headers: { 'x-wombat-simulate': simulate } })
}

async function order(simulate: string, fields: object = {}, at: TestServer = server): Promise<string[]> {
  return (await ask(simulate, fields, at)).images.map(({ url }) => idOf(url))
}

async function orderOne(simulate: string, fields: object = {}, at: TestServer = server): Promise<string> {
  const [id] = await order(simulate, fields, at)
  assert.ok(id !== undefined)
  return id
}

interface Attempt {
  readonly outcome: string | null
  readonly failure: string | null
  readonly message: string | null
  readonly gap: number | null
}

async function attemptsOf(id: string, at: TestServer = server): Promise<Attempt[]> {
  return (await query(
    at.databaseUrl,
    `SELECT *, extract(epoch FROM started_at - lag(finished_at) OVER (ORDER BY id))::float8 AS gap
     FROM attempts WHERE image_id = $1 ORDER BY id`,
    [id],
  )) as Attempt[]
}

async function historyOf(id: string, at: TestServer = server): Promise<string[]> {
  return (await attemptsOf(id, at)).map(({ outcome, failure }) => `${outcome} ${failure ?? ''}`.trim())
}

async function assertDelivered(id: string, { at = server, width = 1024, height = 1024, format = 'jpeg' } = {}) {
  const { status, bytes } = await at.get(pathOf(id))
  assert.equal(status, 200)
  assert.deepEqual(await decode(bytes), { format, width, height })
}

async function assertRefunded(id: string, { status, code }: { status: number; code: string }): Promise<string> {
  const answer = await server.get(pathOf(id))
  assert.equal(answer.status, status)
  assert.equal(answer.error.code, code)
  assert.equal(answer.error.refunded, true)
  const entries = await query(
    server.databaseUrl,
    'SELECT kind, amount FROM ledger_entries WHERE ref = $1 ORDER BY id',
    [id],
  )
  assert.deepEqual(
    entries.map((entry) => ({ ...entry })),
    [
      { kind: 'charge', amount: -1 },
      { kind: 'refund', amount: 1 },
    ],
  )
  return answer.error.message
}

describe('a fault of one request that is final', { timeout: 60_000, concurrency: 4 }, () => {
  for (const { simulate, status, code, history, message } of [
    {
      simulate: 'moderation',
      status: 422,
      code: 'moderation_refused',
      history: ['refused moderation'],
      message: /content\.$/,
    },
    {
      simulate: 'moderation=violence,latency=300ms',
      status: 422,
      code: 'moderation_refused',
      history: ['refused moderation'],
      message: /content: violence\.$/,
    },
    {
      simulate: 'bad-reference',
      status: 422,
      code: 'bad_reference',
      history: ['refused bad_reference'],
      message: /reference/,
    },
    {
      simulate: 'late-failure=300ms',
      status: 410,
      code: 'generation_failed',
      history: ['refused mistake'],
      message: /could not be made/,
    },
    {
      simulate: 'unknown=2,corrupt,moderation',
      status: 422,
      code: 'moderation_refused',
      history: ['unknown unknown', 'unknown unknown', 'unknown unknown', 'refused moderation'],
      message: /content\.$/,
    },
  ]) {
    test(`${simulate}: ${status}, refunded, and its calls are written down`, async () => {
      const id = await orderOne(simulate)
      assert.match(await assertRefunded(id, { status, code }), message)
      assert.deepEqual(await historyOf(id), history)
    })
  }

  test('of one image of four: its siblings are made, and only its credit comes back', async () => {
    const { accountId, apiKey } = await server.createAccount({ credits: 10 })
    const answer = await server.post(
      { ...BODY, numImages: 4 },
      { key: apiKey, headers: { 'x-wombat-simulate': 'image=3,moderation' } },
    )
    const statuses = await Promise.all(answer.images.map(async ({ url }) => (await server.get(url)).status))
    assert.deepEqual(statuses, [200, 200, 422, 200])
    assert.equal(await server.balance(accountId), 7)
  })

  test('after the delivery has begun: the connection is reset, and the next GET tells why', async () => {
    await using patient = await startTestServer({ env: { DEV_MODE: 'true', IMAGE_SOFT_WAIT_SECONDS: '0.1' } })
    const id = await orderOne('late-failure=1s', {}, patient)
    const raw = await openRaw(patient.url, requestText(pathOf(id)))
    await raw.closed
    assert.equal(raw.end, 'reset')
    const { head, body, isComplete } = readChunks(raw.received)
    assert.match(head, /^HTTP\/1\.1 200 /)
    assert.deepEqual([...body.subarray(0, 3)], [0xff, 0xd8, 0xff])
    assert.equal(isComplete, false)
    const { status, error } = await patient.get(pathOf(id))
    assert.deepEqual([status, error.code, error.refunded], [410, 'generation_failed', true])
    assert.deepEqual((await verifyLedger(patient.db)).faults, [])
  })
})

describe('a fault of one request that passes', { timeout: 60_000, concurrency: 4 }, () => {
  for (const { simulate, failure, seconds } of [
    { simulate: 'outage=600ms', failure: 'not_sent transient', seconds: 0.6 },
    { simulate: 'credentials=600ms', failure: 'not_sent credentials', seconds: 0.6 },
    { simulate: 'throttled=600ms', failure: 'not_sent throttled', seconds: 0.6 },
    { simulate: 'unknown', failure: 'unknown unknown', seconds: 0 },
    { simulate: 'unknown=3', failure: 'unknown unknown', seconds: 0 },
    { simulate: 'corrupt=2', failure: 'unknown unknown', seconds: 0 },
  ]) {
    test(`${simulate}: the image is made when it is over`, async () => {
      const id = await orderOne(simulate)
      await assertDelivered(id)
      const history = await historyOf(id)
      assert.equal(history.pop(), 'done')
      assert.deepEqual(new Set(history), new Set([failure]))
      const count = /^(unknown|corrupt)/.test(simulate) ? Number(simulate.split('=')[1] ?? 1) : undefined
      assert.ok(count === undefined || history.length === count, `${history.length} calls`)
      const [row] = await query(
        server.databaseUrl,
        'SELECT extract(epoch FROM finished_at - created_at)::float8 AS took FROM images WHERE id = $1',
        [id],
      )
      assert.ok(row.took >= seconds, `${row.took} s`)
    })
  }

  test('throttled: the upstream is not asked before the time that it names', async () => {
    const id = await orderOne('throttled=900ms')
    await assertDelivered(id)
    const attempts = await attemptsOf(id)
    assert.equal(attempts.length, 2)
    assert.match(attempts[0]?.message ?? '', /^simulated: .*429/)
    assert.ok(Number(attempts[1]?.gap) > 0.5, `${attempts[1]?.gap} s`)
  })

  test('corrupt: it is the decoding that refuses, cut and garbled bytes alike', async () => {
    const id = await orderOne('corrupt=2', { preserveOriginal: true })
    await assertDelivered(id, { format: 'png' })
    const [cut, garbled] = await attemptsOf(id)
    assert.match(cut?.message ?? '', /^undecodable picture/)
    assert.match(garbled?.message ?? '', /^undecodable picture/)
  })

  test('wrong-size: the picture is cropped to the size that was promised, as JPEG and as PNG', async () => {
    const jpeg = await orderOne('wrong-size', { size: '1536x1024' })
    const png = await orderOne('wrong-size', { size: '1008x1792', preserveOriginal: true })
    await assertDelivered(jpeg, { width: 1536, height: 1024 })
    await assertDelivered(png, { width: 1008, height: 1792, format: 'png' })
    const plain = await server.get((await server.post({ ...BODY, size: '1536x1024' })).images[0]?.url ?? '')
    assert.notDeepEqual((await server.get(pathOf(jpeg))).bytes, plain.bytes)
  })

  test('latency: the picture takes that long', async () => {
    const startedMs = performance.now()
    await assertDelivered(await orderOne('latency=1500ms'))
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs >= 1500, `${tookMs} ms`)
  })

  test('others go on meanwhile, and the breaker learns nothing of it', async () => {
    const ids = await order('outage=10m', { numImages: 4 })
    await until(async () => (await Promise.all(ids.map((id) => historyOf(id)))).every(({ length }) => length > 2), {
      what: 'three calls each',
    })
    const startedMs = performance.now()
    const [other] = (await server.post(BODY)).images
    assert.equal((await server.get(other?.url ?? '')).status, 200)
    assert.ok(performance.now() - startedMs < 5_000)
    assert.deepEqual(
      (await listRouteStates(server.db)).map(({ route, state, failures, pausedUntil }) => [
        route,
        state,
        failures,
        pausedUntil,
      ]),
      [['synthetic', 'closed', 0, null]],
    )
  })
})

describe('SYNTHETIC_SIMULATE', { timeout: 60_000 }, () => {
  test('outage: counts from the start of the process, closes the route like a real one, and passes', async () => {
    await using broken = await startTestServer({
      env: {
        SYNTHETIC_SIMULATE: 'outage=4s',
        BREAKER_FAILURES: '3',
        BREAKER_OPEN_SECONDS: '0.2',
        RETRY_MAX_DELAY_SECONDS: '0.5',
      },
    })
    const answer = await broken.post({ ...BODY, numImages: 4 })
    const stateOf = async () => (await listRouteStates(broken.db)).find(({ route }) => route === 'synthetic')
    await until(async () => (await stateOf())?.state === 'open', { what: 'the route is open' })
    assert.equal((await stateOf())?.reason, 'transient: simulated: the upstream can not be reached')
    for (const { url } of answer.images) {
      await assertDelivered(idOf(url), { at: broken })
    }
    assert.equal((await stateOf())?.state, 'closed')
    assert.deepEqual((await verifyLedger(broken.db)).faults, [])
  })

  test('counts calls of each image, and a simulation of the request stands in its place', async () => {
    await using faulty = await startTestServer({
      env: { SYNTHETIC_SIMULATE: 'unknown,image=1', SIMULATE_HEADER: 'true', RETRY_MAX_DELAY_SECONDS: '0.05' },
    })
    const ids = (await faulty.post({ ...BODY, numImages: 2 })).images.map(({ url }) => idOf(url))
    const own = await orderOne('latency=1ms', {}, faulty)
    for (const id of [...ids, own]) {
      await assertDelivered(id, { at: faulty })
    }
    const histories = await Promise.all([...ids, own].map((id) => historyOf(id, faulty)))
    assert.deepEqual(histories, [['unknown unknown', 'done'], ['done'], ['done']])
  })

  test('that is malformed keeps the server from starting', async () => {
    for (const value of ['sometimes', 'error=unauthorized']) {
      await assert.rejects(startTestServer({ env: { SYNTHETIC_SIMULATE: value } }), {
        name: 'ConfigError',
        message: /SYNTHETIC_SIMULATE is .*: it takes /,
      })
    }
  })
})

test('the ledger is in order after all of this', async () => {
  assert.deepEqual((await verifyLedger(server.db)).faults, [])
})
