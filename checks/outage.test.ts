import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { listRouteStates } from '@wombat/images'
import { verifyLedger } from '@wombat/ledger'
import { type OpenAiFault, REFUSED_WORD, startOpenAiEmulator, until } from '@wombat/testing'
import { decode, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const ENV = {
  OPENAI_API_KEY: 'sk-check',
  RETRY_MAX_DELAY_SECONDS: '0.05',
  UNKNOWN_ATTEMPTS_LIMIT: '2',
}

/** A server with an upstream of its own, so that the tests can run at the same time: most of them wait. */
async function start(env: Readonly<Record<string, string>> = {}) {
  const emulator = await startOpenAiEmulator()
  const server = await startTestServer({ env: { ...ENV, OPENAI_BASE_URL: emulator.url, ...env } })
  return {
    emulator,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await emulator[Symbol.asyncDispose]()
    },
  }
}

interface Attempt {
  readonly outcome: string | null
  readonly failure: string | null
  readonly message: string | null
  readonly upstream_id: string | null
  readonly usage: Record<string, number> | null
  readonly cost_micro_usd: string | null
  readonly gap: number | null
}

async function attemptsOf(server: TestServer, id: string): Promise<Attempt[]> {
  return (await query(
    server.databaseUrl,
    `SELECT *, extract(epoch FROM started_at - lag(finished_at) OVER (ORDER BY id))::float8 AS gap
     FROM attempts WHERE image_id = $1 ORDER BY id`,
    [id],
  )) as Attempt[]
}

async function historyOf(server: TestServer, id: string): Promise<string[]> {
  return (await attemptsOf(server, id)).map(({ outcome, failure }) => `${outcome} ${failure ?? ''}`.trim())
}

async function assertDelivered(server: TestServer, id: string) {
  const { status, bytes } = await server.get(pathOf(id))
  assert.equal(status, 200)
  assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 1024, height: 1024 })
}

/** Waits for the failure, and sees to it that the credit is back, once. */
async function assertRefunded(server: TestServer, id: string, code: string) {
  const answer = await server.get(pathOf(id))
  assert.equal(answer.error.code, code)
  assert.equal(answer.status, code === 'moderation_refused' ? 422 : 410)
  assert.deepEqual(answer.error.details, { refunded: true })
  const entries = await query(
    server.databaseUrl,
    'SELECT kind, amount, note FROM ledger_entries WHERE ref = $1 ORDER BY id',
    [id],
  )
  const expected = [
    { kind: 'charge', amount: -1, note: '' },
    { kind: 'refund', amount: 1, note: code },
  ]
  assert.deepEqual(
    entries.map((entry) => ({ ...entry })),
    expected,
  )
  assert.deepEqual((await verifyLedger(server.db)).faults, [])
}

describe('faults that pass', { timeout: 60_000, concurrency: 6 }, () => {
  test('an upstream that fails twice: the third call makes the image, and all three are written down', async () => {
    await using upstream = await start()
    const { emulator, server } = upstream
    emulator.setFault('server_error', { times: 2 })
    const id = await orderOne(server)
    await assertDelivered(server, id)
    assert.deepEqual(await historyOf(server, id), ['not_sent transient', 'not_sent transient', 'done'])
    const [first, , last] = await attemptsOf(server, id)
    assert.match(first?.message ?? '', /^OpenAI answered 500/)
    assert.match(first?.upstream_id ?? '', /^req_/)
    assert.match(last?.upstream_id ?? '', /^req_/)
    assert.ok(Number(last?.cost_micro_usd) > 0 && (last?.usage?.output_tokens ?? 0) > 0)
  })

  test('an upstream that says when to come back is not asked before, and the client hears nothing of it', async () => {
    await using upstream = await start()
    const { emulator, server } = upstream
    const slowDown = {
      status: 429,
      headers: { 'retry-after': '2' },
      error: { message: 'Slow.', type: 'requests', param: null, code: null },
    }
    emulator.setFault(slowDown, { times: 1 })
    const id = await orderOne(server)
    await assertDelivered(server, id)
    assert.deepEqual(await historyOf(server, id), ['not_sent throttled', 'done'])
    const [, second] = await attemptsOf(server, id)
    assert.ok(Number(second?.gap) >= 2, `${second?.gap} s`)
  })

  test('money or key of the operator: the images wait, and are made when it is mended', async () => {
    await using upstream = await start()
    const { emulator, server } = upstream
    for (const fault of ['insufficient_quota', 'invalid_api_key'] as const) {
      emulator.setFault(fault)
      const ids = await order(server, { numImages: 4 })
      const waiting = ids.map((id) => assertDelivered(server, id))
      const tries = async () => (await Promise.all(ids.map((id) => historyOf(server, id)))).flat().length
      const isParked = async () => (await listRouteStates(server.db))[0]?.state === 'parked'
      await until(async () => (await tries()) >= 3 && (await isParked()), {
        what: 'three tries, and the route is parked',
      })
      const [route] = await listRouteStates(server.db)
      assert.match(route?.reason ?? '', /^credentials: OpenAI answered/)
      emulator.setFault(undefined)
      await Promise.all(waiting)
      for (const id of ids) {
        const history = await historyOf(server, id)
        assert.equal(history.pop(), 'done')
        assert.ok(history.every((one) => one === 'not_sent credentials'))
      }
      assert.deepEqual(
        (await listRouteStates(server.db)).map(({ state }) => state),
        ['closed'],
      )
    }
  })

  test('pictures that are none, and lines that break: each is unknown, since it may have been paid, and the next try counts', async () => {
    await using upstream = await start({ UNKNOWN_ATTEMPTS_LIMIT: '10' })
    const { emulator, server } = upstream
    const faults: OpenAiFault[] = [
      'corrupt_picture',
      'not_a_picture',
      'cut_off',
      'reset_after_reading',
      'bad_gateway_html',
    ]
    let id = ''
    for (const [index, fault] of faults.entries()) {
      emulator.setFault(fault, { times: 1 })
      id ||= await orderOne(server)
      await until(
        async () => (await historyOf(server, id)).filter((entry) => !entry.startsWith('null')).length > index,
        { what: `try ${index}` },
      )
    }
    await assertDelivered(server, id)
    assert.deepEqual(await historyOf(server, id), [
      ...Array.from({ length: 4 }, () => 'unknown unknown'),
      'not_sent transient',
      'done',
    ])
  })

  test('a picture of another size is stored in the size that was promised', async () => {
    await using upstream = await start()
    const { emulator, server } = upstream
    emulator.setFault('wrong_size', { times: 2 })
    const jpeg = await orderOne(server, { size: '1536x1024' })
    const png = await orderOne(server, { size: '1008x1792', preserveOriginal: true })
    assert.deepEqual(await decode((await server.get(pathOf(jpeg))).bytes), {
      format: 'jpeg',
      width: 1536,
      height: 1024,
    })
    assert.deepEqual(await decode((await server.get(pathOf(png))).bytes), { format: 'png', width: 1008, height: 1792 })
  })
})

describe('faults that are final', { timeout: 60_000, concurrency: 6 }, () => {
  test('a prompt that is refused: one call, 422, refunded', async () => {
    await using upstream = await start()
    const { server } = upstream
    const id = await orderOne(server, { prompt: `a wombat ${REFUSED_WORD}` })
    await assertRefunded(server, id, 'moderation_refused')
    assert.deepEqual(await historyOf(server, id), ['refused moderation'])
  })

  test('one picture of four: its siblings are made, and only its credit comes back', async () => {
    await using upstream = await start()
    const { emulator, server } = upstream
    emulator.setFault('moderation', { times: 1 })
    const before = await server.balance()
    const ids = await order(server, { numImages: 4 })
    const statuses = await Promise.all(ids.map(async (id) => (await server.get(pathOf(id))).status))
    assert.deepEqual(statuses.sort(), [200, 200, 200, 422])
    assert.equal(await server.balance(), before - 3)
  })

  test('a request that the upstream calls wrong: one call, 410, refunded', async () => {
    await using upstream = await start()
    const { emulator, server } = upstream
    emulator.setFault('invalid_value')
    const id = await orderOne(server)
    await assertRefunded(server, id, 'generation_failed')
    assert.deepEqual(await historyOf(server, id), ['refused mistake'])
  })

  test('an upstream that never answers: one call and as many more as the limit says, then 410, refunded', async () => {
    await using upstream = await start({ PROVIDER_TIMEOUT_SECONDS: '0.5' })
    const { emulator, server } = upstream
    emulator.setFault('hang')
    const before = emulator.requests.length
    const id = await orderOne(server)
    await assertRefunded(server, id, 'generation_failed')
    assert.deepEqual(
      await historyOf(server, id),
      Array.from({ length: 3 }, () => 'unknown unknown'),
    )
    assert.equal(emulator.requests.length - before, 3)
  })

  test('the same where an unknown outcome is not to be tried again: one call', async () => {
    await using upstream = await start({ RETRY_UNKNOWN: 'off' })
    const { emulator, server } = upstream
    emulator.setFault('cut_off')
    const id = await orderOne(server)
    await assertRefunded(server, id, 'generation_failed')
    assert.deepEqual(await historyOf(server, id), ['unknown unknown'])
  })
})

describe('the deadline', { timeout: 60_000, concurrency: 6 }, () => {
  const HOURS = '0.001'
  const MS = 3_600

  async function assertDeadline(server: TestServer, id: string, startedMs: number) {
    await assertRefunded(server, id, 'generation_deadline')
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs > MS - 100 && tookMs < MS + 4_000, `${tookMs} ms`)
  }

  test('ends an image whose upstream can not be reached', async () => {
    await using upstream = await start({ GENERATION_DEADLINE_HOURS: HOURS })
    const { emulator, server } = upstream
    await emulator.close()
    const startedMs = performance.now()
    const id = await orderOne(server)
    await assertDeadline(server, id, startedMs)
    assert.deepEqual(new Set(await historyOf(server, id)), new Set(['not_sent transient']))
  })

  test('ends an image that is made but can not be stored', async () => {
    await using upstream = await start({ GENERATION_DEADLINE_HOURS: HOURS, LEASE_SECONDS: '1' })
    const { server } = upstream
    server.engine.store.put = () => Promise.reject(new Error('no space left on device'))
    const startedMs = performance.now()
    const id = await orderOne(server)
    await assertDeadline(server, id, startedMs)
    assert.deepEqual(await historyOf(server, id), ['done'])
  })

  test('ends an image in the longest back-off', async () => {
    await using upstream = await start({ GENERATION_DEADLINE_HOURS: HOURS, RETRY_MAX_DELAY_SECONDS: '3600' })
    const { emulator, server } = upstream
    emulator.setFault('insufficient_quota')
    const startedMs = performance.now()
    const id = await orderOne(server)
    await assertDeadline(server, id, startedMs)
    assert.deepEqual(await historyOf(server, id), ['not_sent credentials'])
  })
})
