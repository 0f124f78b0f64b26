import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { failImage } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { decode, finishNow, makeNow, openRaw, orderOne, pathOf, query, requestText } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

// Nobody works here but the test: an image stays pending until the test makes or fails it.
const patient = await startTestServer({ role: 'api', env: { WAITERS_PER_ADDRESS: '3' } })
const hasty = await startTestServer({ role: 'api', env: { IMAGE_SOFT_WAIT_SECONDS: '0.02' } })
after(async () => {
  await patient[Symbol.asyncDispose]()
  await hasty[Symbol.asyncDispose]()
})

async function waiters(server: TestServer, count: number) {
  await until(() => server.engine.waiters.size === count, { what: `${count} waiters` })
}

async function fail(server: TestServer, id: string, code = 'generation_failed') {
  assert.ok(await failImage(server.db, { imageId: id, fence: undefined, code, message: 'It failed.' }))
}

describe('a request for a pending image, at first', { timeout: 60_000 }, () => {
  test('is held without a byte, and gets the ordinary answer once the image is there', async () => {
    const id = await orderOne(patient)
    const raw = await openRaw(patient.url, requestText(pathOf(id)))
    const answers = [patient.get(pathOf(id)), patient.get(pathOf(id), { method: 'HEAD' })]
    await waiters(patient, 3)
    assert.equal(raw.received.length, 0)
    await makeNow(patient.engine, id)
    const [whole, head] = await Promise.all(answers)
    assert.ok(whole !== undefined && head !== undefined)
    assert.deepEqual(await decode(whole.bytes), { format: 'jpeg', width: 1024, height: 1024 })
    for (const { status, headers } of [whole, head]) {
      assert.equal(status, 200)
      assert.equal(headers.get('content-length'), String(whole.bytes.length))
      assert.match(headers.get('etag') ?? '', /^"[0-9a-f]{64}"$/)
      assert.match(headers.get('cache-control') ?? '', /immutable/)
    }
    await until(() => raw.received.includes(whole.bytes), { what: 'the raw answer' })
    raw.destroy()
    await waiters(patient, 0)
  })

  test('is held for a range too', async () => {
    const id = await orderOne(patient)
    const answer = patient.get(pathOf(id), { headers: { range: 'bytes=2-3' } })
    await waiters(patient, 1)
    await makeNow(patient.engine, id)
    assert.equal((await answer).status, 206)
    assert.equal((await answer).bytes.length, 2)
  })

  test('gets the failure when there is one, whatever it is', async () => {
    const answers: Record<string, number> = {}
    for (const code of ['moderation_refused', 'generation_deadline']) {
      const id = await orderOne(patient)
      const answer = patient.get(pathOf(id))
      await waiters(patient, 1)
      await fail(patient, id, code)
      answers[(await answer).error.code] = (await answer).status
    }
    assert.deepEqual(answers, { moderation_refused: 422, generation_deadline: 410 })
  })

  test('whose client goes away is forgotten, and the image is made all the same', async () => {
    await using server = await startTestServer({ env: { SYNTHETIC_LATENCY_MS: '400' } })
    const id = await orderOne(server)
    const raw = await openRaw(server.url, requestText(pathOf(id)))
    await waiters(server, 1)
    raw.destroy()
    await waiters(server, 0)
    assert.equal((await server.get(pathOf(id))).status, 200)
    const [image] = await query(server.databaseUrl, 'SELECT status, fence FROM images')
    assert.deepEqual({ ...image }, { status: 'ready', fence: 1 })
  })
})

describe('the number of requests that are held', { timeout: 60_000 }, () => {
  test('is bounded for an address: one more is a 503 at once, and a place that is left is free again', async () => {
    const id = await orderOne(patient)
    const raws = await Promise.all([1, 2, 3].map(() => openRaw(patient.url, requestText(pathOf(id)))))
    await waiters(patient, 3)
    for (const method of ['GET', 'HEAD']) {
      const answer = await patient.get(pathOf(id), { method })
      assert.equal(answer.status, 503)
      assert.ok(Number(answer.headers.get('retry-after')) >= 1)
      assert.equal(answer.headers.get('cache-control'), 'no-store')
    }
    const refused = await patient.get(pathOf(id))
    assert.equal(refused.error.code, 'overloaded')
    assert.deepEqual(refused.error.details, { scope: 'address', limit: 3 })
    const other = await orderOne(patient)
    await finishNow(patient.engine, other, 'image/jpeg')
    assert.equal((await patient.get(pathOf(other))).status, 200)
    assert.equal((await patient.get(`/api/image/${id}.json`)).status, 200)

    raws[0]?.destroy()
    await waiters(patient, 2)
    const late = patient.get(pathOf(id))
    await waiters(patient, 3)
    await makeNow(patient.engine, id)
    assert.equal((await late).status, 200)
    for (const raw of raws) {
      raw.destroy()
    }
  })

  test('is bounded in all', async () => {
    await using server = await startTestServer({ role: 'api', env: { MAX_WAITERS: '2' } })
    const id = await orderOne(server)
    const answers = [server.get(pathOf(id)), server.get(pathOf(id))]
    await waiters(server, 2)
    const refused = await server.get(pathOf(id))
    assert.equal(refused.error.code, 'overloaded')
    assert.deepEqual(refused.error.details, { scope: 'server', limit: 2 })
    await finishNow(server.engine, id, 'image/jpeg')
    assert.deepEqual(
      (await Promise.all(answers)).map(({ status }) => status),
      [200, 200],
    )
  })
})

describe('a request that is held for longer and can have no keep-alive delivery', { timeout: 60_000 }, () => {
  const kinds: readonly [string, { preserveOriginal?: boolean; method?: string; headers?: Record<string, string> }][] =
    [
      ['a PNG is expected', { preserveOriginal: true }],
      ['HEAD', { method: 'HEAD' }],
      ['a range', { headers: { range: 'bytes=0-9' } }],
    ]
  for (const [name, { preserveOriginal = false, method = 'GET', headers = {} }] of kinds) {
    test(`${name}: is sent to itself eight times, then away`, async () => {
      const id = await orderOne(hasty, { preserveOriginal })
      let path = `${pathOf(id)}?width=1216`
      for (let hop = 1; hop <= 8; hop += 1) {
        const answer = await hasty.get(path, { method, headers })
        assert.equal(answer.status, 302)
        assert.equal(answer.headers.get('location'), `${id}.jpg?wait=${hop}`)
        assert.equal(answer.headers.get('cache-control'), 'no-store')
        assert.equal(answer.headers.get('access-control-allow-origin'), '*')
        assert.equal(answer.bytes.length, 0)
        const next = new URL(answer.headers.get('location') ?? '', `${hasty.url}${path}`)
        path = next.pathname + next.search
      }
      const last = await hasty.get(path, { method, headers })
      assert.equal(last.status, 503)
      assert.ok(Number(last.headers.get('retry-after')) >= 1)
      assert.equal(last.headers.get('cache-control'), 'no-store')
      await finishNow(hasty.engine, id, preserveOriginal ? 'image/png' : 'image/jpeg')
      assert.equal((await hasty.get(path, { method, headers })).status, headers.range === undefined ? 200 : 206)
    })
  }

  test('HTTP/1.0 has no chunks, so it is sent to itself', async () => {
    const id = await orderOne(hasty)
    const raw = await openRaw(hasty.url, requestText(pathOf(id), { version: '1.0' }))
    await raw.closed
    assert.match(
      raw.received.toString('latin1'),
      new RegExp(`^HTTP/1\\.1 302 [^]*\\nlocation: ${id}\\.jpg\\?wait=1\\r`, 'i'),
    )
  })

  test('every way to write the address leads back to the image', async () => {
    const id = await orderOne(hasty, { preserveOriginal: true })
    for (const path of [`/api/image/${id}`, `/api/image/${id}.jpg/`, `/api/image/${id.toUpperCase()}.WEBP?x=/y/`]) {
      const { headers } = await hasty.get(path)
      const next = new URL(headers.get('location') ?? '', `${hasty.url}${path}`)
      assert.equal((await hasty.get(next.pathname + next.search)).status, 302, path)
    }
  })

  test('a client that follows has the picture as soon as it is there', async () => {
    const id = await orderOne(hasty, { preserveOriginal: true })
    const answer = hasty.get(pathOf(id), { redirect: 'follow' })
    await until(() => hasty.engine.waiters.size === 1, { what: 'it waits' })
    await finishNow(hasty.engine, id, 'image/png')
    assert.deepEqual(await decode((await answer).bytes), { format: 'png', width: 640, height: 480 })
  })
})

describe('other modes', { timeout: 60_000 }, () => {
  test('redirect: a JPEG too is sent to itself', async () => {
    const env = { IMAGE_WAIT_MODE: 'redirect', IMAGE_SOFT_WAIT_SECONDS: '0.02' }
    await using server = await startTestServer({ role: 'api', env })
    const id = await orderOne(server)
    const answer = await server.get(pathOf(id))
    assert.equal(answer.status, 302)
    assert.equal(answer.headers.get('location'), `${id}.jpg?wait=1`)
    const followed = await server.get(pathOf(id), { redirect: 'follow' })
    assert.equal(followed.error.code, 'image_pending')
  })

  test('block: holds to the end of its time, then 503', async () => {
    const env = { IMAGE_WAIT_MODE: 'block', IMAGE_SOFT_WAIT_SECONDS: '0', IMAGE_MAX_WAIT_SECONDS: '0.3' }
    await using server = await startTestServer({ role: 'api', env })
    const id = await orderOne(server, { preserveOriginal: true })
    const startedMs = performance.now()
    const answer = await server.get(pathOf(id))
    assert.ok(performance.now() - startedMs > 280)
    assert.equal(answer.status, 503)
    assert.equal(answer.error.code, 'image_pending')
    assert.ok(Number(answer.headers.get('retry-after')) >= 1)
    const held = server.get(pathOf(id))
    await waiters(server, 1)
    await finishNow(server.engine, id, 'image/png')
    assert.equal((await held).status, 200)
  })
})
