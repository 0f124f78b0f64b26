import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, IncomingMessage } from 'node:http'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type S3Limits, type S3Settings, S3Store } from '@wombat/store'
import { describeBlobStore } from '@wombat/store/suite'
import { type S3Fault, type S3Server, startS3 } from './s3.ts'
import { until } from './until.ts'

const QUICK: S3Limits = { connectMs: 500, answerMs: 300, stallMs: 200, wholeMs: 5_000, attempts: 3 }

function settingsOf(server: Pick<S3Server, 'bucket' | 'endpoint'>, more: Partial<S3Settings> = {}): S3Settings {
  const { bucket, endpoint } = server
  const credentials = { accessKeyId: 'test-access', secretAccessKey: 'test-secret' }
  return { bucket, endpoint, region: 'us-east-1', credentials, isPathStyle: true, prefix: '', ...more }
}

for (const prefix of ['', 'some/where/']) {
  describeBlobStore(`S3Store with the prefix "${prefix}"`, async () => {
    const server = await startS3()
    const store = new S3Store(settingsOf(server, { prefix }))
    return {
      store,
      async close() {
        await store.close()
        await server[Symbol.asyncDispose]()
      },
    }
  })
}

const KEY = 'images/ab/one.jpg'

describe('S3Store', { timeout: 60_000 }, () => {
  it('keeps type and checksum beside the bytes, under its prefix and nowhere else', async () => {
    await using server = await startS3()
    await using stores = openStores()
    const store = stores.open(settingsOf(server, { prefix: 'in/here/' }))
    await store.put(KEY, Buffer.from('some bytes'), 'image/jpeg')
    assert.deepEqual(server.requests, ['PUT /wombat-test/in/here/images/ab/one.jpg?x-id=PutObject'])
    const { headers } = await fetch(`${server.endpoint}/wombat-test/in/here/${KEY}`)
    assert.equal(headers.get('content-type'), 'image/jpeg')
    assert.equal(headers.get('x-amz-meta-sha256'), createHash('sha256').update('some bytes').digest('hex'))
    const whole = stores.open(settingsOf(server))
    await whole.put('images/zz/other.jpg', Buffer.from('x'), 'image/jpeg')
    assert.deepEqual(await keysOf(store), [KEY])
    assert.deepEqual(await keysOf(whole), ['images/zz/other.jpg'])
  })

  it('needs no more of a reader that is slow than that it goes on', async () => {
    await using server = await startS3()
    await using stores = openStores()
    const store = stores.open(settingsOf(server, { limits: QUICK }))
    const bytes = randomBytes(8_000_000)
    await store.put(KEY, bytes, 'image/jpeg')
    const stream = await store.open(KEY)
    assert.ok(stream !== undefined)
    const chunks: Buffer[] = []
    let pauses = 0
    for await (const chunk of stream) {
      chunks.push(chunk)
      // Longer than the store waits for S3: what is late here is the reader.
      if (pauses < 2) {
        pauses += 1
        await sleep(QUICK.stallMs * 2.5)
      }
    }
    assert.ok(Buffer.concat(chunks).equals(bytes))
  })

  it('takes no more from S3 than its reader has room for', async () => {
    await using server = await startS3()
    await using stores = openStores()
    const store = stores.open(settingsOf(server))
    await store.put(KEY, randomBytes(48_000_000), 'image/jpeg')
    const stream = await store.open(KEY)
    assert.ok(stream instanceof IncomingMessage)
    const chunks = stream.iterator({ destroyOnReturn: false })
    await chunks.next()
    let seen = -1
    await until(
      () => {
        const isStill = stream.socket.bytesRead === seen
        seen = stream.socket.bytesRead
        return isStill
      },
      { what: 'it stands still' },
    )
    assert.ok(seen < 24_000_000, `${seen} bytes`)
    assert.equal(server.openBodies, 1)
    stream.destroy()
    await until(() => server.openBodies === 0, { what: 'the rest is called off' })
  })

  it("uses the machine's credentials when it is given none, and says when there are none", async () => {
    await using server = await startS3()
    await using stores = openStores()
    const nowhere = '/nowhere/at/all'
    const names = { AWS_SHARED_CREDENTIALS_FILE: nowhere, AWS_CONFIG_FILE: nowhere, AWS_EC2_METADATA_DISABLED: 'true' }
    const before = { ...process.env }
    try {
      Object.assign(process.env, names)
      const none = stores.open(settingsOf(server, { credentials: undefined }))
      await assert.rejects(none.read(KEY), /no credentials were found: set S3_ACCESS_KEY_ID/)
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'of-the-machine', AWS_SECRET_ACCESS_KEY: 'secret' })
      const store = stores.open(settingsOf(server, { credentials: undefined }))
      await store.put(KEY, Buffer.from('x'), 'image/jpeg')
      assert.equal(String(await store.read(KEY)), 'x')
    } finally {
      process.env = before
    }
  })
})

describe('S3Store when S3 fails', { timeout: 60_000 }, () => {
  const passing: readonly [S3Fault, RegExp][] = [
    ['away', /PUT|GET|DELETE/],
    ['slow', /GET|DELETE/],
    [500, /PUT|GET|DELETE/],
    [503, /PUT|GET|DELETE/],
  ]
  for (const [fault, only] of passing) {
    it(`tries again: ${fault}`, async () => {
      await using server = await startS3()
      await using stores = openStores()
      const store = stores.open(settingsOf(server, { limits: QUICK }))
      const keep = async () => await store.put(KEY, Buffer.from('some bytes'), 'image/jpeg')
      for (const work of [keep, () => store.read(KEY), () => keysOf(store), () => store.remove(KEY)]) {
        server.fail(fault, { times: 1, only })
        await work()
        server.heal()
      }
      assert.equal(await store.read(KEY), undefined)
    })
  }

  const lasting: readonly [S3Fault, RegExp][] = [
    ['away', /hang up|ECONNRESET/],
    ['slow', /timed? ?out/i],
    [500, /it answered 500 InternalError: It was told to/],
    [503, /it answered 503 SlowDown/],
    [403, /access was refused \(AccessDenied\): check S3_ACCESS_KEY_ID/],
  ]
  for (const [fault, reason] of lasting) {
    it(`gives up after a few tries and says why: ${fault}`, async () => {
      await using server = await startS3()
      await using stores = openStores()
      const store = stores.open(settingsOf(server, { limits: QUICK }))
      server.fail(fault)
      for (const work of [
        () => store.put(KEY, Buffer.from('x'), 'image/jpeg'),
        () => store.read(KEY),
        () => store.open(KEY, { range: { start: 0, end: 3 } }),
        () => store.remove(KEY),
        () => keysOf(store),
        () => store.check(),
      ]) {
        const before = server.requests.length
        await assert.rejects(work(), (error) => {
          assert.ok(error instanceof Error)
          assert.match(error.message, reason)
          assert.match(error.message, new RegExp(`S3 ${server.bucket} at ${server.endpoint}`))
          return true
        })
        const tries = server.requests.length - before
        assert.equal(tries, fault === 403 ? 1 : QUICK.attempts)
      }
    })
  }

  it('ends a call whose tries last too long together', async () => {
    await using server = await startS3()
    await using stores = openStores()
    const limits = { ...QUICK, answerMs: 10_000, wholeMs: 200 }
    const store = stores.open(settingsOf(server, { limits }))
    server.fail('slow')
    await assert.rejects(store.read(KEY), /no answer within 200 ms/)
    const controller = new AbortController()
    const opening = stores.open(settingsOf(server)).open(KEY, { signal: controller.signal })
    await until(() => server.requests.length === 2, { what: 'the request' })
    controller.abort()
    await assert.rejects(opening, /abort/i)
  })

  it('takes an address where nobody listens for a fault, not for an empty store', async () => {
    await using stores = openStores()
    const server = await startS3()
    await server[Symbol.asyncDispose]()
    const store = stores.open(settingsOf(server, { limits: QUICK }))
    await assert.rejects(store.read(KEY), /ECONNREFUSED/)
    await assert.rejects(store.check(), /Images cannot be kept on S3 .*ECONNREFUSED/)
  })

  it('takes a bucket that is not there for a fault, not for an empty store', async () => {
    await using server = await startS3()
    await using stores = openStores()
    const store = stores.open(settingsOf({ ...server, bucket: 'not-there' }, { limits: QUICK }))
    for (const work of [
      () => store.put(KEY, Buffer.from('x'), 'image/jpeg'),
      () => store.read(KEY),
      () => store.open(KEY),
      () => keysOf(store),
      () => store.check(),
    ]) {
      await assert.rejects(work(), /there is no bucket not-there: make it, or set S3_BUCKET/)
    }
  })

  for (const fault of ['cut', 'stalled'] as const) {
    it(`never takes a body that breaks off for the whole: ${fault}`, async () => {
      await using server = await startS3()
      await using stores = openStores()
      const store = stores.open(settingsOf(server, { limits: QUICK }))
      const bytes = randomBytes(3_000_000)
      await store.put(KEY, bytes, 'image/jpeg')
      server.fail(fault, { times: 2 })
      assert.ok(bytes.equals((await store.read(KEY)) ?? Buffer.alloc(0)), 'the third try has it')
      server.fail(fault)
      await assert.rejects(store.read(KEY), /abort|nothing came/)
      const stream = await store.open(KEY)
      assert.ok(stream !== undefined)
      await assert.rejects(stream.toArray(), /abort|nothing came/)
      assert.ok(stream.destroyed)
    })
  }

  it('does not give the whole to who asked for a part', async () => {
    await using server = await startS3()
    // A server that knows no ranges: nothing but what it answers is of interest here.
    const blunt = createServer((_, response) => response.writeHead(200, { 'content-length': '10' }).end('0123456789'))
    blunt.listen({ port: 0, host: '127.0.0.1' })
    await once(blunt, 'listening')
    const address = blunt.address()
    assert.ok(typeof address === 'object' && address !== null)
    await using stores = openStores()
    const store = stores.open(settingsOf({ ...server, endpoint: `http://127.0.0.1:${address.port}` }))
    await assert.rejects(store.open(KEY, { range: { start: 2, end: 4 } }), /bytes 2-4 were asked for, and it sent all/)
    blunt.closeAllConnections()
    blunt.close()
  })
})

/** Closes all that it opened. */
function openStores() {
  const list: S3Store[] = []
  return {
    open(settings: S3Settings): S3Store {
      const store = new S3Store(settings)
      list.push(store)
      return store
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(list.map((store) => store.close()))
    },
  }
}

async function keysOf(store: S3Store): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list('images/')) {
    keys.push(key)
  }
  return keys
}
