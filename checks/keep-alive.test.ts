import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { failImage } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { openDatabaseProxy } from './database-proxy.ts'
import {
  decode,
  finishNow,
  makeNow,
  openRaw,
  orderOne,
  pathOf,
  type RawExchange,
  readChunks,
  requestText,
} from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

// Nobody works here but the test: an image stays pending until the test makes or fails it.
const env = { IMAGE_SOFT_WAIT_SECONDS: '0.02', IMAGE_KEEPALIVE_SECONDS: '0.1' }
const server = await startTestServer({ role: 'api', env })
after(() => server[Symbol.asyncDispose]())

/** What every JPEG may begin with: SOI and a JFIF header. */
const BEGIN = Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')
const COMMENT = Buffer.from('fffe0002', 'hex')

function bodyOf(raw: RawExchange): Buffer {
  return readChunks(raw.received).body
}

async function comments(raw: RawExchange, count: number) {
  await until(() => bodyOf(raw).length >= BEGIN.length + count * COMMENT.length, { what: `${count} comments` })
}

describe('a JPEG that takes long', { timeout: 60_000 }, () => {
  test('begins at once, gets an empty comment at each tick, and ends as the stored picture', async () => {
    const id = await orderOne(server, { size: '1792x1008' })
    const raw = await openRaw(server.url, requestText(pathOf(id)))
    await until(() => bodyOf(raw).length >= BEGIN.length, { what: 'the first bytes' })
    const startedMs = performance.now()
    assert.deepEqual(bodyOf(raw), BEGIN)
    await comments(raw, 5)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs > 400 && tookMs < 3_000, `five ticks of 100 ms took ${tookMs} ms`)

    await makeNow(server.engine, id)
    await until(() => readChunks(raw.received).isComplete, { what: 'the end' })
    const { body } = readChunks(raw.received)
    const { bytes: stored } = await server.get(pathOf(id))
    const middle = body.subarray(BEGIN.length, body.length - stored.length + 2)
    assert.deepEqual(body.subarray(0, BEGIN.length), BEGIN)
    assert.deepEqual(middle, Buffer.alloc(middle.length, COMMENT))
    assert.deepEqual(body.subarray(body.length - stored.length + 2), stored.subarray(2))
    assert.deepEqual(await decode(body), { format: 'jpeg', width: 1792, height: 1008 })

    // The connection is as good as new.
    raw.write(requestText(`/api/image/${id}.json`))
    await until(() => raw.received.includes('"finished"'), { what: 'the next answer' })
    raw.destroy()
  })

  test('says nothing that a cache could keep or a client could count on', async () => {
    const id = await orderOne(server)
    const response = await fetch(`${server.url}${pathOf(id)}?width=1`)
    const { status, headers } = response
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'image/jpeg')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('x-accel-buffering'), 'no')
    for (const name of ['etag', 'content-length', 'last-modified', 'accept-ranges']) {
      assert.equal(headers.get(name), null)
    }
    assert.equal(headers.get('access-control-allow-origin'), '*')
    assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin')
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    await finishNow(server.engine, id, 'image/jpeg')
    assert.deepEqual(await decode(Buffer.from(await response.arrayBuffer())), {
      format: 'jpeg',
      width: 640,
      height: 480,
    })
  })

  test('decodes after two thousand comments', async () => {
    await using quick = await startTestServer({ role: 'api', env: { ...env, IMAGE_KEEPALIVE_SECONDS: '0.05' } })
    const id = await orderOne(quick)
    const raw = await openRaw(quick.url, requestText(pathOf(id)))
    await comments(raw, 3)
    await finishNow(quick.engine, id, 'image/jpeg')
    await until(() => readChunks(raw.received).isComplete, { what: 'the end' })
    const { body } = readChunks(raw.received)
    const long = Buffer.concat([body.subarray(0, 20), Buffer.alloc(2_000 * COMMENT.length, COMMENT), body.subarray(20)])
    assert.deepEqual(await decode(long), { format: 'jpeg', width: 640, height: 480 })
    raw.destroy()
  })
})

describe('a JPEG that fails late', { timeout: 60_000 }, () => {
  test('ends in a reset, so that nobody takes its beginning for a picture', async () => {
    const id = await orderOne(server)
    const raws = await Promise.all([1, 2].map(() => openRaw(server.url, requestText(pathOf(id)))))
    const [response, late] = await Promise.all([
      fetch(`${server.url}${pathOf(id)}`),
      fetch(`${server.url}${pathOf(id)}`),
    ])
    const read = response.arrayBuffer()
    read.catch(() => {})
    for (const raw of raws) {
      await comments(raw, 1)
    }
    await failImage(server.db, { imageId: id, fence: undefined, code: 'moderation_refused', message: 'No.' })
    await assert.rejects(read, TypeError)
    await assert.rejects(late.arrayBuffer(), TypeError)
    for (const raw of raws) {
      await raw.closed
      assert.equal(raw.end, 'reset')
      const { head, body, isComplete } = readChunks(raw.received)
      assert.match(head, /^HTTP\/1\.1 200 /)
      assert.equal(isComplete, false)
      await assert.rejects(decode(body))
    }
    assert.equal(server.engine.waiters.size, 0)
    assert.equal((await server.get(pathOf(id))).error.code, 'moderation_refused')
  })
})

describe('a client that goes away during the delivery', { timeout: 60_000 }, () => {
  test('is forgotten, and its place is free', async () => {
    await using strict = await startTestServer({ role: 'api', env: { ...env, MAX_WAITERS: '2' } })
    const id = await orderOne(strict)
    const raws = await Promise.all([1, 2].map(() => openRaw(strict.url, requestText(pathOf(id)))))
    await comments(raws[0] ?? assert.fail(), 1)
    await comments(raws[1] ?? assert.fail(), 1)
    assert.equal((await strict.get(pathOf(id))).error.code, 'overloaded')
    raws[0]?.destroy()
    await until(() => strict.engine.waiters.size === 1, { what: 'one waiter is left' })
    const next = await openRaw(strict.url, requestText(pathOf(id)))
    await comments(next, 1)
    await finishNow(strict.engine, id, 'image/jpeg')
    for (const raw of [raws[1] ?? assert.fail(), next]) {
      await until(() => readChunks(raw.received).isComplete, { what: 'the whole picture' })
      await decode(bodyOf(raw))
      raw.destroy()
    }
    assert.equal(strict.engine.waiters.size, 0)
  })
})

describe('a database that is away during the delivery', { timeout: 60_000 }, () => {
  test('costs the client nothing but time', async () => {
    using proxy = await openDatabaseProxy(server.databaseUrl)
    await using beside = await startTestServer({ role: 'api', env, beside: { ...server, databaseUrl: proxy.url } })
    const id = await orderOne(server)
    const raws = await Promise.all([1, 2].map(() => openRaw(beside.url, requestText(pathOf(id)))))
    await Promise.all(raws.map((raw) => comments(raw, 1)))
    proxy.cut()
    const already = Math.max(...raws.map((raw) => bodyOf(raw).length - BEGIN.length)) / COMMENT.length
    await Promise.all(raws.map((raw) => comments(raw, already + 2)))
    await finishNow(server.engine, id, 'image/jpeg')
    await proxy.mend()
    for (const raw of raws) {
      await until(() => readChunks(raw.received).isComplete, { what: 'the whole picture' })
      assert.deepEqual(await decode(bodyOf(raw)), { format: 'jpeg', width: 640, height: 480 })
      raw.destroy()
    }
  })
})
