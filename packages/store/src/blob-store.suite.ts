import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { BlobEntry, BlobStore, ByteRange } from './blob-store.ts'

interface StoreFixture {
  readonly store: BlobStore
  close(): Promise<void>
}

/** What every store of blobs does. It leaves no object behind when it passes, and shares the place with other runs. */
export function describeBlobStore(name: string, make: () => Promise<StoreFixture>): void {
  describe(`blob store: ${name}`, () => {
    let fixture: StoreFixture
    before(async () => {
      fixture = await make()
    })
    after(() => fixture.close())

    const store = () => fixture.store
    describeWhole(store)
    describeStreams(store)
    describeListing(store)
    describeConcurrency(store)
    describeRefusals(store)
  })
}

function describeWhole(store: () => BlobStore): void {
  it('gives back the bytes that were put', async () => {
    await using object = await put(store(), Buffer.from('some bytes'))
    assert.deepEqual(await store().read(object.key), Buffer.from('some bytes'))
  })

  it('keeps empty objects and every value of a byte', async () => {
    await using empty = await put(store(), new Uint8Array())
    await using all = await put(
      store(),
      Uint8Array.from({ length: 256 }, (_, index) => index),
    )
    assert.equal((await store().read(empty.key))?.length, 0)
    assert.deepEqual([...((await store().read(all.key)) ?? [])], [...Array(256).keys()])
  })

  it('keeps a part of a larger buffer without the rest', async () => {
    await using object = await put(store(), Buffer.from('0123456789').subarray(3, 6))
    assert.equal(String(await store().read(object.key)), '345')
  })

  it('keeps 20 MB', async () => {
    const bytes = randomBytes(20_000_000)
    await using object = await put(store(), bytes)
    assert.ok(bytes.equals((await store().read(object.key)) ?? Buffer.alloc(0)))
    assert.ok(bytes.equals((await readStream(store(), object.key)) ?? Buffer.alloc(0)))
  })

  it('replaces an object that is put again, also by a shorter one', async () => {
    await using object = await put(store(), Buffer.from('the first and longer'))
    await store().put(object.key, Buffer.from('second'), 'image/jpeg')
    assert.equal(String(await store().read(object.key)), 'second')
  })

  it('answers undefined for what is not there', async () => {
    await using object = await put(store(), Buffer.from('x'))
    for (const key of [newKey(), `${object.key}/below`, 'images/nothing']) {
      assert.equal(await store().read(key), undefined, key)
      assert.equal(await store().open(key), undefined, key)
    }
  })

  it('takes the folder of an object for no object', async () => {
    await using object = await put(store(), Buffer.from('x'))
    const folder = object.key.slice(0, object.key.lastIndexOf('/'))
    assert.equal(await store().read(folder), undefined)
    assert.equal(await store().open(folder), undefined)
  })

  it('removes an object, and removes it again without complaint', async () => {
    const { key } = await put(store(), Buffer.from('x'))
    await store().remove(key)
    assert.equal(await store().read(key), undefined)
    await store().remove(key)
  })

  it('passes its own check and says what it is', async () => {
    await store().check()
    assert.match(store().description, /\S/)
  })
}

function describeStreams(store: () => BlobStore): void {
  const ranges: readonly [ByteRange, string][] = [
    [{ start: 0, end: 0 }, '0'],
    [{ start: 2, end: 5 }, '2345'],
    [{ start: 9, end: 9 }, '9'],
    [{ start: 7, end: 1000 }, '789'],
  ]

  it('streams all bytes, or the range that was asked for', async () => {
    await using object = await put(store(), Buffer.from('0123456789'))
    assert.equal(String(await readStream(store(), object.key)), '0123456789')
    for (const [range, expected] of ranges) {
      assert.equal(String(await readStream(store(), object.key, range)), expected)
    }
  })

  it('refuses a range that the object does not have', async () => {
    await using object = await put(store(), Buffer.from('0123456789'))
    for (const [start, end] of [
      [10, 12],
      [5, 4],
      [-1, 3],
      [0.5, 3],
      [Number.NaN, 3],
    ] as const) {
      await assert.rejects(store().open(object.key, { range: { start, end } }), RangeError, `${start}-${end}`)
    }
  })

  it('ends a stream when the signal is aborted', async () => {
    await using object = await put(store(), randomBytes(4_000_000))
    const controller = new AbortController()
    const stream = await store().open(object.key, { signal: controller.signal })
    assert.ok(stream !== undefined)
    await assert.rejects(async () => {
      for await (const _ of stream) {
        controller.abort()
      }
    }, /abort/i)
    assert.ok(stream.destroyed)
  })

  it('opens nothing for a signal that was aborted before', async () => {
    await using object = await put(store(), Buffer.from('x'))
    await assert.rejects(store().open(object.key, { signal: AbortSignal.abort() }), /abort/i)
  })

  it('lets a reader that has begun read the old object to its end', async () => {
    await using object = await put(store(), Buffer.alloc(2_000_000, 'a'))
    const stream = await store().open(object.key)
    assert.ok(stream !== undefined)
    const chunks: Buffer[] = []
    for await (const chunk of stream) {
      if (chunks.length === 0) {
        await store().put(object.key, Buffer.alloc(2_000_000, 'b'), 'image/jpeg')
      }
      chunks.push(chunk)
    }
    assert.ok(Buffer.concat(chunks).equals(Buffer.alloc(2_000_000, 'a')))
  })
}

function describeListing(store: () => BlobStore): void {
  it('lists the objects under a text, with their sizes and times, in the order of their keys', async () => {
    const folder = newKey()
    const names = ['a/1.jpg', 'a-b/1.jpg', 'a.b', 'ab/deep/er/1.jpg', 'ab/2.png', 'b']
    const before = Date.now()
    for (const [index, name] of names.entries()) {
      await store().put(`${folder}/${name}`, Buffer.alloc(index), 'image/jpeg')
    }
    const found = await listAll(store(), `${folder}/`)
    assert.deepEqual(
      found.map(({ key, sizeBytes }) => [key, sizeBytes]),
      names.map((name, index) => [`${folder}/${name}`, index]).sort(),
    )
    // S3 tells whole seconds, and by its own clock.
    assert.ok(found.every(({ modifiedAt }) => Math.abs(modifiedAt.getTime() - before) < 60_000))
    const under = async (text: string) => (await listAll(store(), `${folder}/${text}`)).map(({ key }) => key)
    assert.deepEqual(await under('ab'), [`${folder}/ab/2.png`, `${folder}/ab/deep/er/1.jpg`])
    assert.deepEqual(await under('ab/2.png'), [`${folder}/ab/2.png`])
    assert.deepEqual(await under('ab/3'), [])
    assert.deepEqual(await under('c/d'), [])
    await Promise.all(names.map((name) => store().remove(`${folder}/${name}`)))
    assert.deepEqual(await under(''), [])
  })

  it('lists more objects than one answer holds', { timeout: 60_000 }, async () => {
    const folder = newKey()
    const keys = Array.from({ length: 1100 }, (_, index) => `${folder}/${String(index).padStart(4, '0')}.jpg`)
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map((key) => store().put(key, Buffer.from('x'), 'image/jpeg')))
    }
    assert.deepEqual(
      (await listAll(store(), `${folder}/`)).map(({ key }) => key),
      keys,
    )
    await Promise.all(keys.map((key) => store().remove(key)))
  })
}

function describeConcurrency(store: () => BlobStore): void {
  it('keeps 50 objects that are put at once apart', async () => {
    const folder = newKey()
    const numbers = [...Array(50).keys()]
    await Promise.all(numbers.map((n) => store().put(`${folder}/${n}.jpg`, Buffer.from(`image ${n}`), 'image/jpeg')))
    const found = await Promise.all(numbers.map((n) => store().read(`${folder}/${n}.jpg`)))
    assert.deepEqual(
      found.map(String),
      numbers.map((n) => `image ${n}`),
    )
    await Promise.all(numbers.map((n) => store().remove(`${folder}/${n}.jpg`)))
  })

  it('shows a reader one of the writers whole, never a mixture and never nothing', async () => {
    await using object = await put(store(), Buffer.alloc(300_000, 0))
    let isWriting = true
    const writers = Promise.all(
      [1, 2, 3, 4].map(async (fill) => {
        for (let round = 0; round < 5; round += 1) {
          await store().put(object.key, Buffer.alloc(300_000, fill), 'image/jpeg')
        }
      }),
    ).finally(() => {
      isWriting = false
    })
    while (isWriting) {
      const bytes = await store().read(object.key)
      assert.ok(bytes?.length === 300_000 && bytes.every((byte) => byte === bytes[0]))
    }
    await writers
  })

  it('puts and removes in one folder at once without a failure', async () => {
    const folder = newKey()
    await Promise.all(
      [...Array(8).keys()].map(async (n) => {
        for (let round = 0; round < 10; round += 1) {
          await store().put(`${folder}/${n}.jpg`, Buffer.from('x'), 'image/jpeg')
          assert.equal(String(await store().read(`${folder}/${n}.jpg`)), 'x')
          await store().remove(`${folder}/${n}.jpg`)
        }
      }),
    )
  })
}

function describeRefusals(store: () => BlobStore): void {
  const hostileKeys = [
    '',
    'images',
    'images/',
    '/images/a',
    'other/a',
    'images/../secret',
    'images/a/../../b',
    'images/./a',
    'images/..',
    'images/.hidden',
    'images//a',
    'images/a/',
    'images/a..b',
    'images/A',
    'images/a b',
    'images/a\\b',
    'images/a\0b',
    'images/a\n',
    'images/%2e%2e/a',
    'images/ä',
    'images/a?b',
    'C:/images/a',
    `images/${'a'.repeat(300)}`,
  ]

  for (const key of hostileKeys) {
    it(`refuses the key ${JSON.stringify(key.slice(0, 40))}`, async () => {
      const refused = /Not a key of a blob/
      await assert.rejects(store().put(key, Buffer.from('x'), 'image/jpeg'), refused)
      await assert.rejects(store().read(key), refused)
      await assert.rejects(store().open(key), refused)
      await assert.rejects(store().remove(key), refused)
    })
  }
}

async function put(store: BlobStore, bytes: Uint8Array) {
  const key = `${newKey()}/v2-0123.jpg`
  await store.put(key, bytes, 'image/jpeg')
  return { key, [Symbol.asyncDispose]: () => store.remove(key) }
}

function newKey(): string {
  return `images/suite/${randomUUID()}`
}

async function listAll(store: BlobStore, prefix: string): Promise<BlobEntry[]> {
  const found: BlobEntry[] = []
  for await (const entry of store.list(prefix)) {
    found.push(entry)
  }
  return found
}

async function readStream(store: BlobStore, key: string, range?: ByteRange): Promise<Buffer | undefined> {
  const stream = await store.open(key, range === undefined ? {} : { range })
  return stream && Buffer.concat(await stream.toArray())
}
