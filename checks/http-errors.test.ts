/** What is not the API, and what is hardly HTTP: always JSON of one shape. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { ERROR_STATUS, type ErrorCode } from '@wombat/contract'
import { parseRaw, sendRaw } from './raw-http.ts'
import { GENERATE } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

const IMAGE = '/api/image/v2-aaaaaaaaa-aaaaaaaaa.jpg'
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

describe('404', () => {
  for (const path of [
    '/nope',
    '/api',
    '/api/',
    '/api/image-generation/x',
    '/api/image-generations',
    '/api/image',
    '/api/image/',
    '/API/image-generation/',
    '//api/image-generation/',
    '/api//image-generation/',
    '/.env',
    '/api/image/..%2f..%2fetc%2fpasswd',
    '/api/image/a%00b.jpg',
    `/api/image/${'x'.repeat(300)}.jpg`,
    `/${'x'.repeat(10_000)}`,
  ]) {
    test(`GET ${path.slice(0, 60)}`, async () => {
      const answer = await server.get(path)
      assert.deepEqual([answer.status, answer.error.code], [404, 'not_found'])
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.ok(answer.text.length < 400)
    })
  }

  test('POST to an unknown address, with a key and with a body of any kind', async () => {
    for (const headers of [{}, FORM, { 'content-encoding': 'gzip' }]) {
      const answer = await server.post({ prompt: 'cat' }, { path: '/v1/images/generations', headers })
      assert.deepEqual([answer.status, answer.error.code], [404, 'not_found'])
    }
  })
})

describe('400', () => {
  for (const path of ['/api/image/%zz.jpg', '/%', `${GENERATE}%ff`]) {
    test(`an address that is no UTF-8: ${path}`, async () => {
      const answer = await server.get(path)
      assert.deepEqual([answer.status, answer.error.code], [400, 'invalid_request'])
      assert.ok(!answer.text.includes(path))
    })
  }
})

describe('405 with Allow', () => {
  const ROWS: readonly (readonly [path: string, allow: string, methods: readonly string[]])[] = [
    [GENERATE, 'POST, OPTIONS', ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'PROPFIND', 'QUERY', 'SEARCH']],
    [GENERATE.slice(0, -1), 'POST, OPTIONS', ['GET']],
    [IMAGE, 'GET, HEAD, DELETE, OPTIONS', ['POST', 'PUT', 'PATCH', 'PURGE']],
    ['/health/ready', 'GET', ['POST']],
    ['/', 'GET', ['POST', 'DELETE']],
  ]
  for (const [path, allow, methods] of ROWS) {
    for (const method of methods) {
      test(`${method} ${path}`, async () => {
        const answer = await server.get(path, { method })
        assert.equal(answer.status, 405)
        assert.equal(answer.headers.get('allow'), allow)
        assert.equal(method === 'HEAD' ? 'method_not_allowed' : answer.error.code, 'method_not_allowed')
      })
    }
  }

  test('with a body of any kind', async () => {
    const answer = await server.get(GENERATE, { method: 'PUT', body: 'prompt=cat', headers: FORM })
    assert.equal(answer.status, 405)
  })

  test('TRACE, which fetch does not send', async () => {
    const answer = parseRaw(
      await sendRaw(server.url, `TRACE ${GENERATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    )
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST, OPTIONS'])
  })
})

describe('hardly HTTP', () => {
  const POST = `POST ${GENERATE} HTTP/1.1\r\nHost: x\r\n`
  const ROWS: Readonly<Record<string, readonly [text: string, code: ErrorCode]>> = {
    'no HTTP at all': ['hello\r\n\r\n', 'invalid_request'],
    'a greeting of TLS': ['\x16\x03\x01\x02\x00\x01\x00', 'invalid_request'],
    'an unknown method': [`BREW ${GENERATE} HTTP/1.1\r\nHost: x\r\n\r\n`, 'invalid_request'],
    'a header without a colon': ['GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n', 'invalid_request'],
    'a header with NUL': ['GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n', 'invalid_request'],
    'no Host': ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 'invalid_request'],
    'two lengths': [`${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 'invalid_request'],
    'a length below zero': [`${POST}Content-Length: -1\r\n\r\n`, 'invalid_request'],
    'a length and chunks': [
      `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'invalid_request',
    ],
    'an odd transfer coding': [`${POST}Transfer-Encoding: gzip\r\n\r\n`, 'invalid_request'],
    'a chunk without a length': [`${POST}Transfer-Encoding: chunked\r\n\r\nZZ\r\n`, 'invalid_request'],
    'headers of 20 kB': [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 'headers_too_large'],
    'ten thousand headers': [`GET / HTTP/1.1\r\nHost: x\r\n${'X: y\r\n'.repeat(10_000)}\r\n`, 'headers_too_large'],
    'an address of 20 kB': [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 'headers_too_large'],
  }
  for (const [title, [text, code]] of Object.entries(ROWS)) {
    test(title, async () => {
      const answer = parseRaw(await sendRaw(server.url, Buffer.from(text, 'latin1')))
      assert.equal(answer.status, ERROR_STATUS[code])
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
      const body = JSON.parse(answer.body) as Record<string, unknown>
      assert.equal(body.code, code)
      assert.equal(body.error, body.message)
      assert.equal(body.requestId, answer.headers.get('x-request-id'))
    })
  }

  test('a request behind another on one connection is answered for itself', async () => {
    const one = `GET /nope HTTP/1.1\r\nHost: x\r\n\r\n`
    const text = await sendRaw(server.url, `${one}${one}${one.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`)
    assert.equal(text.match(/HTTP\/1\.1 404/g)?.length, 3)
  })
})

test('the address itself says what it is', async () => {
  const answer = await server.get('/')
  assert.equal(answer.status, 200)
  assert.match(answer.text, /Wombat/)
})
