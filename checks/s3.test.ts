/** The whole server with its images in a bucket, and what clients see while S3 fails. */
// Not once more on Redis and S3: it takes S3 itself away, and starts all servers on it.
import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { eraseImage, transcodeOriginals } from '@wombat/engine'
import { releaseReferences } from '@wombat/images'
import { createTemporaryDirectory, startS3, until } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import { decode, finishNow, openRaw, order, orderOne, pathOf, query, requestText } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const s3 = await startS3()
const env = { ...s3.env, S3_PREFIX: 'production/wombat', RETAIN_ORIGINALS_DAYS: '0' }
// Nobody works here but the test, and nothing stays in memory.
const server = await startTestServer({ role: 'api', env: { ...env, IMAGE_CACHE_MB: '0' } })
const { engine } = server
after(async () => {
  await server[Symbol.asyncDispose]()
  await s3[Symbol.asyncDispose]()
})

const never = new AbortController().signal

async function orderReady(type: 'image/jpeg' | 'image/png' = 'image/jpeg'): Promise<string> {
  const id = await orderOne(server, { preserveOriginal: type === 'image/png' })
  await finishNow(engine, id, type)
  return id
}

/** Too large for the memory of a server, so that it is streamed. */
async function orderLarge(): Promise<{ id: string; bytes: Buffer }> {
  const id = await orderReady()
  const bytes = randomBytes(12_000_000)
  await engine.store.put(await keyOf(id), bytes, 'image/jpeg')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await query(server.databaseUrl, 'UPDATE images SET size_bytes = $2, sha256 = $3 WHERE id = $1', [
    id,
    bytes.length,
    sha256,
  ])
  return { id, bytes }
}

async function keyOf(id: string): Promise<string> {
  const [row] = await query(server.databaseUrl, 'SELECT object_key FROM images WHERE id = $1', [id])
  return String(row?.object_key)
}

async function healthOf({ get }: Pick<TestServer, 'get'>) {
  const { status, json } = await get('/health/ready')
  return { status, text: JSON.stringify(json) }
}

test('an image goes from the POST through a worker into the bucket and from there to the client', async () => {
  await using busy = await startTestServer({ env: { ...env, RETAIN_ORIGINALS_DAYS: '30' } })
  const ids = await order(busy, { numImages: 4, size: '1536x1024' })
  const answers = await Promise.all(ids.map((id) => busy.get(pathOf(id))))
  for (const [index, { status, bytes, headers }] of answers.entries()) {
    assert.equal(status, 200)
    assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 1536, height: 1024 })
    const id = ids[index] ?? ''
    const [row] = await query(busy.databaseUrl, 'SELECT object_key FROM images WHERE id = $1', [id])
    const stored = await fetch(`${s3.endpoint}/${s3.bucket}/production/wombat/${row?.object_key}`)
    assert.ok(bytes.equals(Buffer.from(await stored.arrayBuffer())))
    assert.equal(stored.headers.get('content-type'), 'image/jpeg')
    assert.equal(headers.get('etag'), `"${stored.headers.get('x-amz-meta-sha256')}"`)
  }
  assert.equal(existsSync(path.join(busy.dataDir, 'blobs')), false)
  assert.equal((await healthOf(busy)).status, 200)
})

test('the doctor says which store it is, and what is wrong with it', async () => {
  await using folder = await createTemporaryDirectory()
  const examine = async (more: Readonly<Record<string, string>>) => {
    const settings = { DATABASE_URL: server.databaseUrl, ...s3.env, ...more }
    const { stdout } = await callCli(['doctor', '--json'], { folder: folder.path, env: settings })
    return JSON.parse(stdout).checks.find(({ what }: { what: string }) => what === 'store')
  }
  const detail = `images on S3 wombat-test/a at ${s3.endpoint}`
  assert.deepEqual(await examine({ S3_PREFIX: 'a' }), { what: 'store', outcome: 'ok', detail })
  const { outcome, detail: fault } = await examine({ S3_BUCKET: 'not-there' })
  assert.equal(outcome, 'failure')
  assert.match(fault, /Images cannot be kept on S3 not-there .*: there is no bucket not-there/)
})

describe('delivery from the bucket', { timeout: 60_000 }, () => {
  for (const size of ['small', 'large'] as const) {
    test(`whole, in part, and not at all, as from disk: ${size}`, async () => {
      const { id, bytes } = size === 'large' ? await orderLarge() : { id: await orderReady(), bytes: undefined }
      const whole = await server.get(pathOf(id))
      assert.equal(whole.status, 200)
      assert.ok(bytes === undefined || bytes.equals(whole.bytes))
      const { length } = whole.bytes
      const etag = whole.headers.get('etag') ?? ''
      assert.equal(etag, `"${createHash('sha256').update(whole.bytes).digest('hex')}"`)
      assert.equal(whole.headers.get('content-length'), String(length))
      assert.equal(whole.headers.get('accept-ranges'), 'bytes')

      const head = await server.get(pathOf(id), { method: 'HEAD' })
      assert.deepEqual([head.status, head.headers.get('content-length')], [200, String(length)])
      const parts: readonly [range: string, start: number, end: number][] = [
        ['bytes=0-99', 0, 99],
        ['bytes=7-7', 7, 7],
        [`bytes=${length - 1000}-`, length - 1000, length - 1],
        [`bytes=100-${length * 2}`, 100, length - 1],
        ['bytes=-50', length - 50, length - 1],
      ]
      for (const [range, start, end] of parts) {
        const part = await server.get(pathOf(id), { headers: { range, 'if-range': etag } })
        assert.equal(part.status, 206, range)
        assert.equal(part.headers.get('content-range'), `bytes ${start}-${end}/${length}`)
        assert.ok(part.bytes.equals(whole.bytes.subarray(start, end + 1)), range)
      }
      const other = await server.get(pathOf(id), { headers: { range: 'bytes=0-9', 'if-range': '"0000"' } })
      assert.deepEqual([other.status, other.bytes.length], [200, length])
      const beyond = await server.get(pathOf(id), { headers: { range: `bytes=${length}-` } })
      assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, `bytes */${length}`])

      const before = s3.requests.length
      for (const headers of [{ 'if-none-match': etag }, { 'if-modified-since': new Date().toUTCString() }]) {
        const same = await server.get(pathOf(id), { headers })
        assert.deepEqual([same.status, same.bytes.length], [304, 0])
      }
      assert.ok(size === 'small' || s3.requests.length === before, 'a 304 of a large image costs no request')
    })
  }

  test('a client that goes away ends the stream from S3 as well', async () => {
    const { id } = await orderLarge()
    const reading = await openRaw(server.url, requestText(pathOf(id)))
    await until(() => reading.received.length > 0, { what: 'the first bytes' })
    reading.destroy()
    await until(() => s3.openBodies === 0, { what: 'the body from S3 is let go' })
  })

  test('a body that S3 cuts reaches the client as a broken connection, never as a whole image', async () => {
    const { id, bytes } = await orderLarge()
    s3.fail('cut', { times: 1, only: /^GET/ })
    const reading = await openRaw(server.url, requestText(pathOf(id)))
    await reading.closed
    assert.ok(reading.received.length < bytes.length)
    s3.heal()
    assert.ok((await server.get(pathOf(id))).bytes.equals(bytes))
    // What fits in memory is read again instead.
    const small = await orderReady()
    s3.fail('cut', { times: 2, only: /^GET/ })
    await decode((await server.get(pathOf(small))).bytes)
    s3.heal()
  })
})

describe('while S3 is away', { timeout: 60_000 }, () => {
  test('what is not in memory answers 500 without a word about S3, the server says why and takes orders, and it heals', async () => {
    const id = await orderReady()
    const hot = await startTestServer({ role: 'api', beside: server, env })
    try {
      assert.equal((await hot.get(pathOf(id))).status, 200)
      s3.fail('away')
      const { status, error, text } = await server.get(pathOf(id))
      assert.deepEqual([status, error.code], [500, 'internal_error'])
      assert.doesNotMatch(text, /S3|bucket|127\.0\.0\.1/)
      assert.equal((await hot.get(pathOf(id))).status, 200, 'from memory')
      const health = await healthOf(server)
      assert.equal(health.status, 200)
      assert.equal((await server.post({ prompt: 'wombat' })).status, 200)
      assert.match(health.text, /Images cannot be kept on S3 wombat-test/)
    } finally {
      s3.heal()
      await hot[Symbol.asyncDispose]()
    }
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.equal((await healthOf(server)).status, 200)
  })

  test('a picture that was made waits for its place and is not made twice', async () => {
    await using busy = await startTestServer({ env })
    const before = await busy.balance()
    s3.fail(503, { only: /^PUT .*\/v2-/ })
    const id = await orderOne(busy)
    const seen = s3.requests.length
    const puts = () => s3.requests.slice(seen).filter((line) => /^PUT .*\/v2-/.test(line)).length
    await until(() => puts() > 3, { what: 'more tries than those of one call' })
    s3.heal()
    const { status, bytes } = await busy.get(pathOf(id))
    assert.equal(status, 200)
    await decode(bytes)
    const attempts = await query(busy.databaseUrl, 'SELECT outcome FROM attempts WHERE image_id = $1', [id])
    assert.equal(attempts.length, 1)
    assert.ok((await busy.balance()) < before)
  })
})

describe('what becomes of objects in the bucket', { timeout: 60_000 }, () => {
  test('an original is transcoded in place, an erased image is deleted, and garbage goes', async () => {
    const [original, erased] = [await orderReady('image/png'), await orderReady()]
    const keys = [await keyOf(original), await keyOf(erased)]
    assert.equal((await server.get(pathOf(original))).headers.get('content-type'), 'image/png')
    assert.equal(await transcodeOriginals(engine, never), 1)
    await until(async () => (await server.get(pathOf(original))).headers.get('content-type') === 'image/jpeg', {
      what: 'it is served as a JPEG',
    })
    assert.deepEqual(await decode((await server.get(pathOf(original))).bytes), {
      format: 'jpeg',
      width: 1024,
      height: 1024,
    })
    assert.equal((await eraseImage(server.db, erased))?.done, 'removed')
    await query(server.databaseUrl, 'UPDATE garbage_objects SET delete_after = now()')
    await using _worker = await startTestServer({ role: 'worker', beside: server, env })
    for (const key of keys) {
      await until(async () => (await engine.store.read(key)) === undefined, { what: `${key} is removed` })
    }
    await until(async () => (await query(server.databaseUrl, 'SELECT FROM garbage_objects')).length === 0, {
      what: 'no garbage is left',
    })
    assert.equal((await server.get(pathOf(original))).status, 200)
    assert.equal((await server.get(pathOf(erased))).status, 410)
  })

  test('references of requests that wait are kept there, and released', async () => {
    const requestId = randomUUID()
    const picture = (await server.get(pathOf(await orderReady('image/png')))).bytes
    const reference = { bytes: picture, contentType: 'image/png' as const }
    await engine.archive.keep(requestId, [reference, reference], 60)
    assert.deepEqual(await engine.archive.read(requestId, 2), [reference, reference])
    assert.equal(await engine.archive.read(requestId, 3), undefined)
    await releaseReferences(server.db, requestId)
    await using _worker = await startTestServer({ role: 'worker', beside: server, env })
    await until(async () => (await engine.archive.read(requestId, 1)) === undefined, { what: 'they are gone' })
  })
})
