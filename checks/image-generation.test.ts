/** POST /api/image-generation/: the order of its checks, and the form of its answer. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { revokeKey } from '@wombat/accounts'
import { until } from '@wombat/testing'
import { parseRaw, sendRaw } from './raw-http.ts'
import { GENERATE } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

const CAT = { prompt: 'cat' }
const TOO_LARGE = JSON.stringify({ prompt: 'x'.repeat(1024 * 1024) })
const BROKEN = '{"prompt":'
const XML = { 'content-type': 'text/xml' }

describe('order of checks: of two faults the first is named', () => {
  test('413 comes before 401', async () => {
    const answer = await server.post(undefined, { key: null, rawBody: TOO_LARGE })
    assert.deepEqual([answer.status, answer.error.code], [413, 'payload_too_large'])
  })

  test('415 comes before 401, for a type and for an encoding', async () => {
    for (const headers of [XML, { 'content-encoding': 'gzip' }]) {
      const answer = await server.post(undefined, { key: null, headers, rawBody: BROKEN })
      assert.deepEqual([answer.status, answer.error.code], [415, 'unsupported_media_type'])
    }
  })

  test('401 comes before 400, for broken JSON and for bytes that are no text', async () => {
    for (const rawBody of [BROKEN, new Uint8Array([0x22, 0xff, 0xfe, 0x22])]) {
      assert.equal((await server.post(undefined, { key: null, rawBody })).status, 401)
    }
  })

  test('401 comes before 429: a key that is no more has no limit either', async () => {
    const { apiKey, keyId } = await server.createAccount({ keyRateLimitPerMinute: 1 })
    assert.equal((await server.post(CAT, { key: apiKey })).status, 200)
    assert.equal((await server.post(CAT, { key: apiKey })).status, 429)
    assert.ok(await revokeKey(server.db, keyId))
    await until(async () => (await server.post(CAT, { key: apiKey })).status === 401, {
      timeoutMs: 3_000,
      what: 'a 401',
    })
  })

  test('429 comes before 400', async () => {
    const { apiKey } = await server.createAccount({ keyRateLimitPerMinute: 1 })
    const first = await server.post(undefined, { key: apiKey, rawBody: BROKEN })
    assert.equal(first.status, 400)
    const second = await server.post(undefined, { key: apiKey, rawBody: BROKEN })
    assert.equal(second.status, 429)
  })

  test('400 comes before 403', async () => {
    const { apiKey } = await server.createAccount({ plan: 'basic' })
    const faulty = await server.post({ prompt: '', quality: 'high' }, { key: apiKey })
    assert.equal(faulty.status, 400)
    const header = await server.post({ ...CAT, quality: 'high' }, { key: apiKey, headers: { 'idempotency-key': 'ä' } })
    assert.equal(header.status, 400)
  })

  test('403 comes before 402', async () => {
    const { apiKey } = await server.createAccount({ plan: 'basic', credits: 0 })
    const answer = await server.post({ ...CAT, quality: 'high' }, { key: apiKey })
    assert.deepEqual([answer.status, answer.error.code], [403, 'plan_required'])
    assert.equal((await server.post(CAT, { key: apiKey })).status, 402)
  })
})

describe('answer', () => {
  test('it is compact JSON: url, then alt, and not a byte more', async () => {
    const { text } = await server.post({ ...CAT, numImages: 2, generateAltText: true })
    const image =
      /\{"url":"http:\/\/127\.0\.0\.1:\d+\/api\/image\/v2-[0-9a-z]{9}-[0-9a-z]{9}\.jpg","alt":"A photo of a cat"\}/
    assert.match(text, new RegExp(`^\\[${image.source},${image.source}\\]$`))
  })

  test('headers carry what the body may not', async () => {
    const before = await server.balance()
    const { headers } = await server.post({
      ...CAT,
      model: 'ideogram-3.0',
      size: '1000x1000',
      numImages: 2,
      preserveOriginal: true,
      output_format: 'png',
    })
    const expected = {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      'x-credits-charged': '6',
      'x-credits-remaining': String(before - 6),
      'x-effective-size': '1024x1024',
      'x-effective-quality': 'turbo',
      'x-ignored-params': 'preserveOriginal, output_format',
      'x-provider': 'synthetic',
    }
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(headers.get(name), value, name)
    }
    assert.match(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
    assert.equal(headers.get('idempotent-replayed'), null)
    assert.equal((await server.post(CAT)).headers.get('x-ignored-params'), null)
  })

  test('a trailing slash makes no difference and leads to no redirect', async () => {
    for (const path of ['/api/image-generation/', '/api/image-generation', '/api/image-generation/?from=zapier']) {
      assert.equal((await server.post(CAT, { path })).status, 200)
    }
  })

  test('the same prompt twice gives other URLs', async () => {
    const [first, second] = await Promise.all([server.post(CAT), server.post(CAT)])
    assert.notEqual(first.images[0]?.url, second.images[0]?.url)
  })

  test('a preflight of a browser is answered without a key', async () => {
    const answer = await server.get('/api/image-generation/', { method: 'OPTIONS' })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /Authorization/)
    assert.match(answer.headers.get('access-control-allow-methods') ?? '', /POST/)
  })
})

describe('url', () => {
  const FORGED = {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444',
    forwarded: 'host=evil.example;proto=https',
  }

  test('it is where the server listens when PUBLIC_URL is not set, whatever the request says', async () => {
    const body = JSON.stringify(CAT)
    const headers = Object.entries({
      ...FORGED,
      host: 'evil.example',
      connection: 'close',
      authorization: `Bearer ${server.apiKey}`,
      'content-length': String(body.length),
    })
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    for (const address of [GENERATE, `http://evil.example${GENERATE}`]) {
      const answer = parseRaw(await sendRaw(server.url, `POST ${address} HTTP/1.1\r\n${lines}\r\n${body}`))
      assert.equal(answer.status, 200)
      assert.ok(answer.body.startsWith(`[{"url":"${server.url}/api/image/v2-`))
    }
  })

  test('it is PUBLIC_URL when that is set, with its path, also behind a trusted proxy, and follows a change of it', async () => {
    const env = { TRUST_PROXY: '127.0.0.1' }
    const headers = { ...FORGED, 'idempotency-key': 'moving' }
    await using moved = await startTestServer({
      role: 'api',
      beside: server,
      env: { ...env, PUBLIC_URL: 'https://images.example.com/wombat/' },
    })
    const first = await moved.post(CAT, { headers })
    assert.match(first.images[0]?.url ?? '', /^https:\/\/images\.example\.com\/wombat\/api\/image\/v2-/)
    await using again = await startTestServer({
      role: 'api',
      beside: server,
      env: { ...env, PUBLIC_URL: 'https://b.example' },
    })
    const second = await again.post(CAT, { headers })
    assert.equal(second.images[0]?.url, first.images[0]?.url.replace('images.example.com/wombat', 'b.example'))
  })

  test('it is random in every character', async () => {
    const urls = await Promise.all(
      Array.from({ length: 25 }, async () =>
        (await server.post({ ...CAT, numImages: 4 })).images.map(({ url }) => url),
      ),
    )
    const names = urls.flat().map((url) => url.slice(url.indexOf('v2-') + 3, -4).replace('-', ''))
    for (let at = 0; at < 18; at += 1) {
      const seen = new Set(names.map((name) => name[at]))
      assert.ok(seen.size > 20, `character ${at} was only ${[...seen].join('')}`)
    }
  })
})
