import assert from 'node:assert/strict'
import { after, afterEach, describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import { type OpenAiFault, REFUSED_WORD, startOpenAiEmulator, until } from '@wombat/testing'
import { decode, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const emulator = await startOpenAiEmulator()
const env = {
  OPENAI_API_KEY: 'sk-check',
  OPENAI_BASE_URL: emulator.url,
  RETRY_MAX_DELAY_SECONDS: '0.05',
  PROVIDER_TIMEOUT_SECONDS: '0.5',
  UNKNOWN_ATTEMPTS_LIMIT: '2',
}
const server = await startTestServer({ env })
afterEach(() => emulator.setFault(undefined))
after(async () => {
  await server[Symbol.asyncDispose]()
  await emulator[Symbol.asyncDispose]()
})

interface Attempt {
  readonly outcome: string | null
  readonly failure: string | null
  readonly message: string | null
  readonly upstream_id: string | null
  readonly usage: Record<string, number> | null
  readonly cost_micro_usd: string | null
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

async function assertDelivered(id: string, at: TestServer = server) {
  const { status, bytes } = await at.get(pathOf(id))
  assert.equal(status, 200)
  assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 1024, height: 1024 })
}

/** Waits for the failure, and sees to it that the credit is back, once. */
async function assertRefunded(id: string, code: string, at: TestServer = server) {
  const answer = await at.get(pathOf(id))
  assert.equal(answer.error.code, code)
  assert.equal(answer.status, code === 'moderation_refused' ? 422 : 410)
  assert.deepEqual(answer.error.details, { refunded: true })
  const entries = await query(at.databaseUrl, 'SELECT kind, amount, note FROM ledger_entries WHERE ref = $1 ORDER BY id', [id])
  const expected = [{ kind: 'charge', amount: -1, note: '' }, { kind: 'refund', amount: 1, note: code }]
  assert.deepEqual(entries.map((entry) => ({ ...entry })), expected)
  assert.deepEqual((await verifyLedger(at.db)).faults, [])
}

describe('faults that pass', () => {
  test('an upstream that fails twice: the third call makes the image, and all three are written down', async () => {
    emulator.setFault('server_error', { times: 2 })
    const id = await orderOne(server)
    await assertDelivered(id)
    assert.deepEqual(await historyOf(id), ['not_sent transient', 'not_sent transient', 'done'])
    const [first, , last] = await attemptsOf(id)
    assert.match(first?.message ?? '', /^OpenAI answered 500/)
    assert.match(first?.upstream_id ?? '', /^req_/)
    assert.match(last?.upstream_id ?? '', /^req_/)
    assert.ok(Number(last?.cost_micro_usd) > 0 && (last?.usage?.output_tokens ?? 0) > 0)
  })

  test('an upstream that says when to come back is not asked before, and the client hears nothing of it', async () => {
    const slowDown = { status: 429, headers: { 'retry-after': '2' }, error: { message: 'Slow.', type: 'requests', param: null, code: null } }
    emulator.setFault(slowDown, { times: 1 })
    const id = await orderOne(server)
    await assertDelivered(id)
    assert.deepEqual(await historyOf(id), ['not_sent throttled', 'done'])
    const [, second] = await attemptsOf(id)
    assert.ok(Number(second?.gap) >= 2, `${second?.gap} s`)
  })

  test('money or key of the operator: the images wait, and are made when it is mended', async () => {
    for (const fault of ['insufficient_quota', 'invalid_api_key'] as const) {
      emulator.setFault(fault)
      const ids = await order(server, { numImages: 3 })
      const waiting = ids.map((id) => assertDelivered(id))
      await until(async () => (await Promise.all(ids.map((id) => historyOf(id)))).every((history) => history.length >= 2), { what: 'two tries each' })
      emulator.setFault(undefined)
      await Promise.all(waiting)
      for (const id of ids) {
        const history = await historyOf(id)
        assert.equal(history.pop(), 'done')
        assert.deepEqual(new Set(history), new Set(['not_sent credentials']))
      }
    }
  })

  test('pictures that are none, and lines that break: each is unknown, since it may have been paid, and the next try counts', async () => {
    const faults: OpenAiFault[] = ['corrupt_picture', 'not_a_picture', 'cut_off', 'reset_after_reading', 'bad_gateway_html']
    await using tolerant = await startTestServer({ env: { ...env, UNKNOWN_ATTEMPTS_LIMIT: '10' } })
    let id = ''
    for (const [index, fault] of faults.entries()) {
      emulator.setFault(fault, { times: 1 })
      id ||= await orderOne(tolerant)
      await until(async () => (await historyOf(id, tolerant)).filter((entry) => !entry.startsWith('null')).length > index, { what: `try ${index}` })
    }
    await assertDelivered(id, tolerant)
    assert.deepEqual(await historyOf(id, tolerant), [...Array.from({ length: 4 }, () => 'unknown unknown'), 'not_sent transient', 'done'])
  })

  test('a picture of another size is stored in the size that was promised', async () => {
    emulator.setFault('wrong_size', { times: 2 })
    const jpeg = await orderOne(server, { size: '1536x1024' })
    const png = await orderOne(server, { size: '1008x1792', preserveOriginal: true })
    assert.deepEqual(await decode((await server.get(pathOf(jpeg))).bytes), { format: 'jpeg', width: 1536, height: 1024 })
    assert.deepEqual(await decode((await server.get(pathOf(png))).bytes), { format: 'png', width: 1008, height: 1792 })
  })
})

describe('faults that are final', () => {
  test('a prompt that is refused: one call, 422, refunded', async () => {
    const id = await orderOne(server, { prompt: `a wombat ${REFUSED_WORD}` })
    await assertRefunded(id, 'moderation_refused')
    assert.deepEqual(await historyOf(id), ['refused moderation'])
  })

  test('one picture of four: its siblings are made, and only its credit comes back', async () => {
    emulator.setFault('moderation', { times: 1 })
    const before = await server.balance()
    const ids = await order(server, { numImages: 4 })
    const statuses = await Promise.all(ids.map(async (id) => (await server.get(pathOf(id))).status))
    assert.deepEqual(statuses.sort(), [200, 200, 200, 422])
    assert.equal(await server.balance(), before - 3)
  })

  test('a request that the upstream calls wrong: one call, 410, refunded', async () => {
    emulator.setFault('invalid_value')
    const id = await orderOne(server)
    await assertRefunded(id, 'generation_failed')
    assert.deepEqual(await historyOf(id), ['refused mistake'])
  })

  test('an upstream that never answers: one call and as many more as the limit says, then 410, refunded', async () => {
    emulator.setFault('hang')
    const before = emulator.requests.length
    const id = await orderOne(server)
    await assertRefunded(id, 'generation_failed')
    assert.deepEqual(await historyOf(id), Array.from({ length: 3 }, () => 'unknown unknown'))
    assert.equal(emulator.requests.length - before, 3)
  })

  test('the same where an unknown outcome is not to be tried again: one call', async () => {
    await using strict = await startTestServer({ env: { ...env, RETRY_UNKNOWN: 'off' } })
    emulator.setFault('cut_off')
    const id = await orderOne(strict)
    await assertRefunded(id, 'generation_failed', strict)
    assert.deepEqual(await historyOf(id, strict), ['unknown unknown'])
  })
})

describe('the deadline', () => {
  const HOURS = '0.001'
  const MS = 3_600

  async function assertDeadline(at: TestServer, id: string, startedMs: number) {
    await assertRefunded(id, 'generation_deadline', at)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs > MS - 100 && tookMs < MS + 4_000, `${tookMs} ms`)
  }

  test('ends an image whose upstream can not be reached', async () => {
    const gone = await startOpenAiEmulator()
    await gone.close()
    await using doomed = await startTestServer({ env: { ...env, OPENAI_BASE_URL: gone.url, GENERATION_DEADLINE_HOURS: HOURS } })
    const startedMs = performance.now()
    const id = await orderOne(doomed)
    await assertDeadline(doomed, id, startedMs)
    assert.deepEqual(new Set(await historyOf(id, doomed)), new Set(['not_sent transient']))
  })

  test('ends an image that is made but can not be stored, in the back-off of a key and without any worker', async () => {
    const short = { ...env, GENERATION_DEADLINE_HOURS: HOURS }
    await using full = await startTestServer({ env: { ...short, LEASE_SECONDS: '1' } })
    await using poor = await startTestServer({ env: { ...short, RETRY_MAX_DELAY_SECONDS: '3600' } })
    full.engine.store.put = () => Promise.reject(new Error('no space left on device'))
    const startedMs = performance.now()
    const id = await orderOne(full)
    await until(async () => (await historyOf(id, full)).includes('done'), { what: 'the picture is there' })
    emulator.setFault('insufficient_quota')
    const other = await orderOne(poor)
    await Promise.all([assertDeadline(full, id, startedMs), assertDeadline(poor, other, performance.now())])
    assert.deepEqual(await historyOf(other, poor), ['not_sent credentials'])
  })
})
