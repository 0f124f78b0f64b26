import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { decode, idOf, orderOne, pathOf, query } from './image-tools.ts'
import type { Answer } from './send.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const server = await startTestServer({ env: { DEV_MODE: 'true' } })
after(() => server[Symbol.asyncDispose]())

const DAY_MS = 86_400_000
const BODY = { prompt: 'wombat', enhancePrompt: 'off' }

async function advance(advance: unknown, at: TestServer = server): Promise<Answer> {
  return await at.post({ advance }, { path: '/dev/clock', key: null })
}

interface Clock {
  readonly now: string
  readonly offset: string
}

async function clockOf(at: TestServer): Promise<Clock> {
  const { status, json } = await at.get('/dev/clock')
  assert.equal(status, 200)
  return json as Clock
}

describe('time that passes on demand', { timeout: 60_000 }, () => {
  test('makes a JPEG of a preserved PNG at once, with a new ETag, and the address answers at every moment', async () => {
    const id = await orderOne(server, { preserveOriginal: true })
    const png = await server.get(pathOf(id))
    assert.deepEqual(await decode(png.bytes), { format: 'png', width: 1024, height: 1024 })
    await advance('29d')
    assert.equal((await server.get(pathOf(id))).headers.get('etag'), png.headers.get('etag'))
    let isOver = false
    const asking = [1, 2].map(async () => {
      for (let count = 0; !isOver || count < 3; count += 1) {
        const { status, headers, bytes } = await server.get(pathOf(id))
        assert.equal(status, 200)
        assert.equal(headers.get('content-type'), `image/${(await decode(bytes)).format}`)
      }
    })
    assert.equal((await advance('31d')).status, 200)
    const jpeg = await server.get(pathOf(id))
    isOver = true
    await Promise.all(asking)
    assert.deepEqual(await decode(jpeg.bytes), { format: 'jpeg', width: 1024, height: 1024 })
    assert.notEqual(jpeg.headers.get('etag'), png.headers.get('etag'))
    const again = await server.get(pathOf(id), { headers: { 'if-none-match': png.headers.get('etag') ?? '' } })
    assert.equal(again.status, 200)
  })

  test('forgets an Idempotency-Key after 24 hours and not before', async () => {
    const post = () => server.post(BODY, { headers: { 'idempotency-key': 'one' } })
    const first = await post()
    await advance('23h')
    const second = await post()
    assert.deepEqual([second.headers.get('idempotent-replayed'), second.images], ['true', first.images])
    await advance('2h')
    const third = await post()
    assert.equal(third.headers.get('idempotent-replayed'), null)
    assert.notDeepEqual(third.images, first.images)
    assert.equal(third.headers.get('x-credits-charged'), '1')
  })

  test('ends an image whose deadline passes with a refund, and one that is made goes on', async () => {
    const { accountId, apiKey } = await server.createAccount({ credits: 10 })
    const [down, slow] = await Promise.all(
      ['outage=2d', 'latency=3s'].map(async (simulate) => {
        const answer = await server.post(BODY, { key: apiKey, headers: { 'x-wombat-simulate': simulate } })
        return idOf(answer.images[0]?.url ?? '')
      }),
    )
    assert.ok(down !== undefined && slow !== undefined)
    const statusOf = async (id: string) =>
      (await query(server.databaseUrl, 'SELECT status, fence FROM images WHERE id = $1', [id]))[0]
    await until(async () => (await statusOf(down)).fence > 0 && (await statusOf(down)).status === 'queued', {
      what: 'it waits for its next try',
    })
    await until(async () => (await statusOf(slow)).status === 'generating', { what: 'the other is made' })
    await advance('25h')
    const { status, error } = await server.get(pathOf(down))
    assert.deepEqual([status, error.code, error.refunded], [410, 'generation_deadline', true])
    assert.equal((await server.get(pathOf(slow))).status, 200)
    assert.equal(await server.balance(accountId), 9)
  })

  test('ends an outage that was asked for, and the pause before the next try with it', async () => {
    const answer = await server.post(BODY, { headers: { 'x-wombat-simulate': 'credentials=20h' } })
    const id = idOf(answer.images[0]?.url ?? '')
    const isWaiting = `SELECT FROM images WHERE id = $1 AND status = 'queued' AND fence = 1`
    await until(async () => (await query(server.databaseUrl, isWaiting, [id])).length === 1, { what: 'it waits' })
    await advance('21h')
    assert.equal((await server.get(pathOf(id))).status, 200)
  })

  test('ends a key that expires, although it was used a moment ago', async () => {
    const { apiKey: key } = await server.createAccount({ expiresAt: new Date(Date.now() + 5 * DAY_MS) })
    assert.equal((await server.post(BODY, { key })).status, 200)
    await advance('6d')
    assert.equal((await server.post(BODY, { key })).status, 401)
  })

  test('removes images that are past their retention', async () => {
    await using short = await startTestServer({ env: { DEV_MODE: 'true', DELETE_IMAGES_DAYS: '2' } })
    const id = await orderOne(short)
    assert.equal((await short.get(pathOf(id))).status, 200)
    await advance('1d', short)
    assert.equal((await short.get(pathOf(id))).status, 200)
    await advance('1d', short)
    const { status, error } = await short.get(pathOf(id))
    assert.deepEqual([status, error.code], [410, 'image_expired'])
    assert.equal(await short.balance(), 999)
  })

  test('is known to other processes, whose memory of images is dropped', async () => {
    await using other = await startTestServer({ role: 'api', env: { DEV_MODE: 'true' }, beside: server })
    const id = await orderOne(other, { preserveOriginal: true })
    const png = await other.get(pathOf(id))
    assert.equal(png.headers.get('content-type'), 'image/png')
    await advance('30d')
    await until(async () => (await other.get(pathOf(id))).headers.get('content-type') === 'image/jpeg', {
      what: 'it is a JPEG there too',
    })
    assert.equal((await clockOf(other)).offset, (await clockOf(server)).offset)
  })

  test('leaves the ledger in order', async () => {
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})

describe('/dev/clock', { timeout: 60_000 }, () => {
  test('says what time it is and how far that is from ours', async () => {
    await using fresh = await startTestServer({ env: { DEV_MODE: 'true' } })
    const aheadMs = async () => Date.parse((await clockOf(fresh)).now) - Date.now()
    assert.equal((await clockOf(fresh)).offset, '0s')
    assert.ok(Math.abs(await aheadMs()) < 5_000)
    const { status, json } = await advance('31d', fresh)
    assert.deepEqual([status, (json as Clock).offset], [200, '31d'])
    assert.ok(Math.abs((await aheadMs()) - 31 * DAY_MS) < 5_000)
    assert.equal(((await advance('36h', fresh)).json as Clock).offset, '780h')
    assert.ok(Math.abs((await aheadMs()) - 32.5 * DAY_MS) < 5_000)
  })

  test('takes a duration of at most ten years, and only forwards', async () => {
    const before = await clockOf(server)
    for (const bad of ['-1d', '0s', '3651d', '1y', '', 'tomorrow', 86_400, null, undefined, ['1d']]) {
      const { status, error } = await advance(bad)
      assert.deepEqual([status, error.code, error.details?.field], [400, 'invalid_request', 'advance'], String(bad))
      assert.match(error.message, /^advance must be a duration of at most 3650d/)
    }
    for (const body of [[], 'x', null, 3]) {
      const { status, error } = await server.post(body, { path: '/dev/clock', key: null })
      assert.deepEqual([status, error.details?.field], [400, 'body'])
    }
    const broken = await server.post(undefined, { path: '/dev/clock', key: null, rawBody: '{' })
    assert.equal(broken.error.code, 'invalid_json')
    assert.equal((await clockOf(server)).offset, before.offset)
  })

  test('ends at a hundred years in all', async () => {
    await using old = await startTestServer({ env: { DEV_MODE: 'true' } })
    const id = await orderOne(old)
    assert.equal((await old.get(pathOf(id))).status, 200)
    for (let decade = 0; decade < 10; decade += 1) {
      assert.equal((await advance('3650d', old)).status, 200)
    }
    const { status, error } = await advance('1ms', old)
    assert.deepEqual([status, error.details?.field], [400, 'advance'])
    assert.equal((await clockOf(old)).offset, '36500d')
    assert.equal((await old.get(pathOf(id))).status, 200)
  })

  test('takes advances at the same time one after the other', async () => {
    await using busy = await startTestServer({ env: { DEV_MODE: 'true' } })
    const ids = await Promise.all([1, 2, 3, 4].map(() => orderOne(busy, { preserveOriginal: true })))
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => advance('1h', busy)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal((await clockOf(busy)).offset, '5h')
    for (const id of ids) {
      assert.equal((await busy.get(pathOf(id))).status, 200)
    }
  })

  test('takes no other method', async () => {
    const { status, headers } = await server.get('/dev/clock', { method: 'DELETE' })
    assert.deepEqual([status, headers.get('allow')], [405, 'GET, POST'])
  })

  test('is no address without DEV_MODE', async () => {
    await using strict = await startTestServer({ env: { SIMULATE_HEADER: 'true' } })
    for (const answer of [
      await strict.get('/dev/clock'),
      await advance('31d', strict),
      await strict.get('/dev/clock', { method: 'DELETE' }),
    ]) {
      assert.deepEqual([answer.status, answer.error.code], [404, 'not_found'])
    }
  })
})
