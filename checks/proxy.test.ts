/** Wombat behind the real nginx with the very file that docs/proxy.md tells to copy. */
// Not once more on Redis and S3: it is about nginx in front; cluster.test.ts has it before Redis and S3.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createClient } from '@wombat/client'
import { readConfig } from '@wombat/engine'
import { failImage } from '@wombat/ledger'
import { until } from '@wombat/testing'
import type { Http2Client } from './http2-client.ts'
import { decode, finishNow, idOf, openRaw, orderOne, pathOf, requestText } from './image-tools.ts'
import { type ErrorAnswer, openBehindNginx, PREFIX, STRANGER, textOf } from './proxy-fixture.ts'
import { GENERATE } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const ONE_MEGABYTE = 1024 * 1024
const THREE_SECONDS = { 'proxy_read_timeout 60s;': 'proxy_read_timeout 3s;' }

const behind = await openBehindNginx()
after(() => behind[Symbol.asyncDispose]())
const { server, env, publicUrl, connectTo, postTo } = behind
const nginx = await behind.startNginx({ port: behind.port })
after(() => nginx[Symbol.asyncDispose]())
const hasty = await behind.startNginx({ changes: THREE_SECONDS })
after(() => hasty[Symbol.asyncDispose]())

const client = connectTo(nginx)
after(() => client[Symbol.dispose]())

async function finish(id: string) {
  await finishNow(server.engine, id, 'image/jpeg')
}

async function waiting(count: number) {
  await until(() => server.engine.waiters.size === count, { what: `${count} requests wait` })
}

/** SOI and a JFIF header, with which the delivery begins. */
const BEGIN = 'ffd8ffe000104a46494600010100000100010000'

describe('an image through nginx', { timeout: 60_000 }, () => {
  test('from the POST to its bytes, over HTTP/2 and below a prefix', async () => {
    const posted = await postTo(client)
    assert.equal(posted.status, 200, posted.text)
    const [image] = posted.json as { url: string }[]
    const id = idOf(image?.url ?? '')
    assert.equal(image?.url, `${publicUrl}${pathOf(id)}`)
    assert.equal(posted.headers['x-credits-charged'], '1')

    const path = `${PREFIX}${pathOf(id)}`
    const waits = Array.from({ length: 20 }, () => client.ask(path))
    await waiting(20)
    await finish(id)
    for (const { status, headers, bytes } of await Promise.all(waits)) {
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'image/jpeg')
      assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 640, height: 480 })
    }

    const whole = await client.ask(path, { headers: { 'accept-encoding': 'gzip, br' } })
    const [etag, modified] = [textOf(whole.headers, 'etag'), textOf(whole.headers, 'last-modified')]
    assert.equal(whole.headers['cache-control'], 'public, max-age=31536000, immutable')
    assert.equal(whole.headers['content-encoding'], undefined)
    assert.equal(whole.headers['content-length'], String(whole.bytes.length))
    const head = await client.ask(path, { method: 'HEAD' })
    assert.deepEqual([head.status, head.bytes.length, head.headers.etag], [200, 0, etag])
    assert.equal(head.headers['content-length'], whole.headers['content-length'])
    const range = await client.ask(path, { headers: { range: 'bytes=10-19', 'if-range': etag } })
    assert.equal(range.status, 206)
    assert.deepEqual(range.bytes, whole.bytes.subarray(10, 20))
    assert.equal((await client.ask(path, { headers: { range: 'bytes=99999999-' } })).status, 416)
    for (const condition of [{ 'if-none-match': etag }, { 'if-modified-since': modified }]) {
      const unchanged = await client.ask(path, { headers: condition })
      assert.deepEqual([unchanged.status, unchanged.bytes.length, unchanged.headers.etag], [304, 0, etag])
    }
  })

  test('a body that is too large is 413 in the shape of all errors, whoever says so', async () => {
    for (const size of [ONE_MEGABYTE + 1, 3 * ONE_MEGABYTE]) {
      const { status, json } = await postTo(client, { body: Buffer.alloc(size, 32) })
      const { requestId, ...rest } = json as Record<string, string>
      const message = 'The body is larger than 1 MiB.'
      assert.deepEqual([status, rest], [413, { error: message, message, code: 'payload_too_large' }])
      assert.ok(requestId)
    }
  })

  test('addresses without the prefix are known as well, and the plain port leads to https', async () => {
    assert.equal((await client.ask('/health/live')).status, 200)
    const plain = await fetch(`${nginx.plainUrl}${PREFIX}${GENERATE}?a=1`, { redirect: 'manual', method: 'POST' })
    assert.equal(plain.status, 308)
    assert.equal(plain.headers.get('location'), `https://127.0.0.1${PREFIX}${GENERATE}?a=1`)
  })

  test('figures are not for everyone, and what is for operators is where it should be', async () => {
    assert.equal((await client.ask(`${PREFIX}/metrics`)).status, 404)
    const plans = await client.ask(`${PREFIX}/admin/v1/plans`, {
      headers: { authorization: `Bearer ${env.ADMIN_TOKEN}` },
    })
    assert.equal(plans.status, 200)
    const document = (await client.ask(`${PREFIX}/openapi.json`)).json as { servers: unknown }
    assert.deepEqual(document.servers, [{ url: publicUrl }])
    assert.ok((await client.ask(`${PREFIX}/docs`)).text.includes(publicUrl))
  })
})

describe('what nginx closes', { timeout: 60_000 }, () => {
  test('is closed under every name that Wombat knows it by', async () => {
    const strict = { 'allow 127.0.0.0/8;': '', 'allow 10.0.0.0/8;': '' }
    const headers = { authorization: `Bearer ${env.ADMIN_TOKEN}` }
    for (const changes of [strict, { ...strict, 'rewrite ^/wombat': '# rewrite ^/wombat' }]) {
      await using closed = await behind.startNginx({ changes })
      using stranger = connectTo(closed, STRANGER)
      for (const prefix of ['', PREFIX, `${PREFIX}${PREFIX}`]) {
        const figures = [`${prefix}/metrics`, `${prefix}/metrics/`, `${prefix}/metrics?a=1`]
        for (const path of [...figures, `${prefix}/admin/v1/plans`, `${prefix}/admin/v1/plans/`]) {
          const { status, text } = await stranger.ask(path, { headers })
          assert.match(text, /nginx/, `${path} was answered by Wombat: ${status}`)
        }
      }
    }
  })
})

describe('a proxy that hands the prefix on', { timeout: 60_000 }, () => {
  test('has the same answers, the quick ones for hot images too', async () => {
    const api = createClient({ baseUrl: `${server.url}${PREFIX}/`, apiKey: server.apiKey })
    const { images } = await api.generate({ prompt: 'cat' })
    const id = idOf(images[0]?.url ?? '')
    assert.equal((await api.status(`${server.url}${PREFIX}${pathOf(id)}`)).status, 'queued')
    const pending = await server.get(`${PREFIX}${pathOf(id)}`, { method: 'HEAD' })
    assert.deepEqual([pending.status, pending.headers.get('location')], [302, `${id}.jpg?wait=1`])
    await finish(id)
    assert.equal((await server.get(`${PREFIX}${pathOf(id)}?wait=1`)).status, 200)

    const { hotLane } = server.engine.metrics
    const headers = { 'X-Forwarded-For': STRANGER, 'X-Forwarded-Proto': 'https', accept: '*/*' }
    const isHot = async () => {
      const raw = await openRaw(server.url, requestText(`${PREFIX}${pathOf(id)}`, { headers }))
      await until(() => raw.received.includes('content-length'), { what: 'an answer' })
      raw.destroy()
      return hotLane.whole === 1
    }
    // The news that it is ready may come late and make room for what is new.
    await until(isHot, { what: 'it is answered past HTTP' })
  })

  test('knows nothing else', async () => {
    for (const path of ['/wombats/health/live', `${PREFIX}${PREFIX}/health/live`, `${PREFIX}/nothing`]) {
      assert.equal((await server.get(path)).status, 404, path)
    }
    assert.equal((await server.get(PREFIX)).status, 200)
    assert.equal((await server.get(`${PREFIX}${GENERATE}`)).status, 405)
  })
})

describe('a wait that is longer than the limit on silence', { timeout: 60_000 }, () => {
  test('three seconds and an image of more than four: what begins in time arrives, what is only held does not', async () => {
    await using holding = await startTestServer({
      ...{ role: 'api', beside: server, env: { ...env, IMAGE_WAIT_MODE: 'block' } },
    })
    const host = new URL(holding.url).host
    await using strict = await behind.startNginx({
      upstreams: [host, host],
      changes: { ...THREE_SECONDS, 'proxy_next_upstream_tries 2;': 'proxy_next_upstream_tries 1;' },
    })
    // As nginx speaks when nobody tells it otherwise: HTTP/1.0, and a connection for each request.
    await using old = await behind.startNginx({
      changes: { ...THREE_SECONDS, 'proxy_http_version 1.1;': '', 'proxy_set_header Connection "";': '' },
    })
    using toStrict = connectTo(strict)
    using toOld = connectTo(old)
    using toHasty = connectTo(hasty)

    const id = await orderOne(server)
    const startedMs = performance.now()
    const held = toStrict.ask(pathOf(id))
    const begun = toHasty.open(`${PREFIX}${pathOf(id)}`)
    const led = followRedirects(toOld, `${PREFIX}${pathOf(id)}`)
    led.catch(() => {})

    const cut = await held
    const { code } = cut.json as ErrorAnswer
    assert.deepEqual([cut.status, code, cut.headers['cache-control']], [504, 'unreachable', 'no-store'])
    await until(() => performance.now() - startedMs > 4_200, { what: 'the image takes its time' })
    // What has come before the image is there came through nginx at once.
    const already = begun.bytes
    assert.equal(already.toString('hex'), `${BEGIN}${'fffe0002'.repeat((already.length - BEGIN.length / 2) / 4)}`)
    assert.ok(already.length >= BEGIN.length / 2 + 2 * 4)
    await finish(id)
    assert.deepEqual(await decode((await begun.answer).bytes), { format: 'jpeg', width: 640, height: 480 })
    const { answer, hops } = await led
    assert.deepEqual(await decode(answer.bytes), { format: 'jpeg', width: 640, height: 480 })
    assert.ok(hops >= 2, `${hops} redirects`)
  })

  test('sixty seconds are more than the settings ever let pass', () => {
    const { IMAGE_SOFT_WAIT_SECONDS, IMAGE_KEEPALIVE_SECONDS } = readConfig({})
    assert.ok(Math.max(IMAGE_SOFT_WAIT_SECONDS, IMAGE_KEEPALIVE_SECONDS) <= 30)
  })

  test('a picture that fails late is a broken stream, and never a short picture', async () => {
    using toHasty = connectTo(hasty)
    const id = await orderOne(server)
    const streams = [1, 2].map(() => toHasty.open(`${PREFIX}${pathOf(id)}`))
    for (const stream of streams) {
      await until(() => stream.bytes.length >= BEGIN.length / 2, { what: 'the first bytes' })
    }
    await failImage(server.db, { imageId: id, fence: undefined, code: 'moderation_refused', message: 'No.' })
    for (const { answer } of streams) {
      await assert.rejects(answer)
    }
    assert.equal((await toHasty.ask(`${PREFIX}${pathOf(id)}`)).status, 422)
  })

  test('a client that goes away is forgotten: by its stream, and by its connection', async () => {
    const toHasty = connectTo(hasty)
    const id = await orderOne(server)
    const streams = [1, 2, 3].map(() => toHasty.open(`${PREFIX}${pathOf(id)}`))
    await waiting(3)
    streams[0]?.cancel()
    await waiting(2)
    toHasty[Symbol.dispose]()
    await waiting(0)
  })
})

async function followRedirects(one: Http2Client, path: string) {
  for (let hops = 0, next = path; ; hops += 1) {
    const answer = await one.ask(next)
    if (answer.status !== 302) {
      assert.equal(answer.status, 200, answer.text)
      return { answer, hops }
    }
    const { pathname, search } = new URL(textOf(answer.headers, 'location'), `https://127.0.0.1${next}`)
    next = pathname + search
  }
}
