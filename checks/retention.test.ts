import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { transcodeOriginals } from '@wombat/engine'
import { addGarbage } from '@wombat/images'
import { until } from '@wombat/testing'
import { decode, finishNow, order, orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

/** Less than a second. */
const SOON = '0.00001'
// Nobody works here but the test, and every original is due at once.
const server = await startTestServer({ role: 'api', env: { RETAIN_ORIGINALS_DAYS: '0' } })
const { engine } = server
after(() => server[Symbol.asyncDispose]())

const never = new AbortController().signal

async function orderOriginal(): Promise<string> {
  const id = await orderOne(server, { preserveOriginal: true })
  await finishNow(engine, id, 'image/png')
  return id
}

/** The row has changed; what the server remembers of it follows with the notification. */
async function untilJpeg(id: string) {
  await until(async () => (await typeOf(id)) === 'image/jpeg', { what: 'it is served as a JPEG' })
}

async function typeOf(id: string): Promise<string | null> {
  const { status, headers, bytes } = await server.get(pathOf(id))
  assert.equal(status, 200)
  await decode(bytes)
  return headers.get('content-type')
}

describe('a preserved original', { timeout: 60_000 }, () => {
  test('becomes a JPEG in place under the same address, which answers at every moment', async () => {
    await using busy = await startTestServer({ env: { RETAIN_ORIGINALS_DAYS: SOON } })
    const id = await orderOne(busy, { preserveOriginal: true, size: '1536x1024' })
    const seen = new Map<string, { type: string; bytes: Buffer; cacheControl: string; count: number }>()
    const isJpeg = async () => {
      const { status, headers, bytes } = await busy.get(pathOf(id))
      assert.equal(status, 200)
      const [etag = '', type = '', cacheControl = ''] = ['etag', 'content-type', 'cache-control'].map(
        (name) => headers.get(name) ?? '',
      )
      const known = seen.get(etag)
      assert.ok(known === undefined || (known.type === type && known.bytes.equals(bytes)))
      seen.set(etag, { type, bytes, cacheControl, count: (known?.count ?? 0) + 1 })
      return type === 'image/jpeg'
    }
    await Promise.all(Array.from({ length: 2 }, () => until(isJpeg, { timeoutMs: 20_000, what: 'it is a JPEG' })))

    const [pngTag, jpegTag] = seen.keys()
    const [png, jpeg] = seen.values()
    assert.ok(pngTag !== undefined && png !== undefined && jpegTag !== undefined && jpeg !== undefined)
    assert.equal(seen.size, 2)
    assert.deepEqual([png.type, jpeg.type], ['image/png', 'image/jpeg'])
    assert.deepEqual(await decode(png.bytes), { format: 'png', width: 1536, height: 1024 })
    assert.deepEqual(await decode(jpeg.bytes), { format: 'jpeg', width: 1536, height: 1024 })
    assert.equal(png.cacheControl, 'public, max-age=0')
    assert.equal(jpeg.cacheControl, 'public, max-age=31536000, immutable')
    const again = await busy.get(pathOf(id), { headers: { 'if-none-match': pngTag } })
    assert.equal(again.status, 200)
    assert.equal((await busy.get(pathOf(id), { headers: { 'if-none-match': jpegTag } })).status, 304)
  })

  test('leaves its object to who still reads it, and the object is removed later', async () => {
    const id = await orderOriginal()
    const [{ object_key: key }] = await query(server.databaseUrl, 'SELECT object_key FROM images WHERE id = $1', [id])
    // As after a worker that stored it and lost the answer: a mark that is overdue must not hurry the removal.
    await addGarbage(server.db, String(key), -60)
    assert.equal(await transcodeOriginals(engine, never), 1)
    const due = `SELECT object_key, extract(epoch FROM delete_after - now())::int AS seconds FROM garbage_objects`
    const [garbage] = await query(server.databaseUrl, due)
    assert.equal(garbage.object_key, key)
    assert.ok(garbage.seconds > 14 * 60 && garbage.seconds <= 15 * 60, `${garbage.seconds} s`)
    {
      await using _early = await startTestServer({ role: 'worker', beside: server })
    }
    assert.ok(await server.holds(String(key)))
    await query(server.databaseUrl, 'UPDATE garbage_objects SET delete_after = now()')
    await using _late = await startTestServer({ role: 'worker', beside: server })
    await until(async () => (await query(server.databaseUrl, due)).length === 0, { what: 'the original is removed' })
    assert.equal(await server.holds(String(key)), false)
    await untilJpeg(id)
  })
})

describe('a transcoding that ends between two steps', { timeout: 60_000 }, () => {
  const broken = () => Promise.reject(new Error('the process ends here'))
  const { store } = engine
  const { read, put } = store
  const steps: readonly [string, () => unknown][] = [
    ['before it has the original', () => Object.assign(store, { read: broken })],
    ['before the JPEG is stored', () => Object.assign(store, { put: broken })],
    [
      'when the JPEG is stored',
      () => {
        store.put = async (...stored) => {
          await put.apply(store, stored)
          await broken()
        }
      },
    ],
    [
      'in the middle of the change of the row',
      async () => {
        await query(
          server.databaseUrl,
          `CREATE OR REPLACE FUNCTION break_here() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''it ends here''; END'`,
        )
        await query(
          server.databaseUrl,
          'CREATE TRIGGER break_here BEFORE INSERT ON garbage_objects EXECUTE FUNCTION break_here()',
        )
      },
    ],
  ]
  for (const [moment, breakHere] of steps) {
    test(`${moment}: the PNG is served, and the next run completes it`, async () => {
      const id = await orderOriginal()
      assert.equal(await typeOf(id), 'image/png')
      await breakHere()
      assert.equal(await transcodeOriginals(engine, never), 0)
      Object.assign(store, { read, put })
      await query(server.databaseUrl, 'DROP TRIGGER IF EXISTS break_here ON garbage_objects')
      assert.equal(await typeOf(id), 'image/png')
      assert.equal(await transcodeOriginals(engine, never), 1)
      await untilJpeg(id)
    })
  }

  test('one that can not be transcoded does not hold up the others', async () => {
    const ids = await order(server, { preserveOriginal: true, numImages: 4 })
    for (const id of ids) {
      await finishNow(engine, id, 'image/png')
    }
    const [first = ''] = ids
    const [{ object_key: key }] = await query(server.databaseUrl, 'SELECT object_key FROM images WHERE id = $1', [
      first,
    ])
    const bytes = await store.read(String(key))
    assert.ok(bytes !== undefined)
    await store.put(String(key), bytes.subarray(0, 100), 'image/png')
    assert.equal(await transcodeOriginals(engine, never), 3)
    await store.put(String(key), bytes, 'image/png')
    assert.equal(await transcodeOriginals(engine, never), 1)
  })

  test('two that run at once turn each original once, and remove nothing that is in use', async () => {
    const ids = await order(server, { preserveOriginal: true, numImages: 3 })
    for (const id of ids) {
      await finishNow(engine, id, 'image/png')
    }
    const turned = await Promise.all([1, 2, 3].map(() => transcodeOriginals(engine, never)))
    assert.equal(
      turned.reduce((sum, count) => sum + count),
      3,
    )
    await Promise.all(ids.map(untilJpeg))
    const inUse = 'SELECT FROM garbage_objects g JOIN images i ON i.object_key = g.object_key'
    assert.equal((await query(server.databaseUrl, inUse)).length, 0)
  })

  test('by kill -9, again and again: every address answers, and in the end all are JPEGs', async () => {
    const ids = (await Promise.all([1, 2, 3].map(() => order(server, { preserveOriginal: true, numImages: 4 })))).flat()
    for (const id of ids) {
      await finishNow(engine, id, 'image/png')
    }
    const countPngs = async () =>
      (await query(server.databaseUrl, `SELECT FROM images WHERE content_type = 'image/png'`)).length
    await using worker = await spawnTestServer({ role: 'worker', env: { RETAIN_ORIGINALS_DAYS: SOON }, beside: server })
    for (const left of [10, 5]) {
      await until(async () => (await countPngs()) <= left, { what: `${left} are left` })
      await worker.kill()
      await Promise.all(ids.map(typeOf))
      await worker.start()
    }
    await until(async () => (await countPngs()) === 0, { what: 'all are JPEGs' })
    await Promise.all(ids.map(untilJpeg))
  })
})
