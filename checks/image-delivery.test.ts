import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertOpen, decode, makeNow, orderOne, pathOf } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

// Nobody works here but the test, so that an image is in the state that the test wants.
const server = await startTestServer({
  role: 'api',
  env: { IMAGE_SOFT_WAIT_SECONDS: '0', RETAIN_ORIGINALS_DAYS: '30' },
})
after(() => server[Symbol.asyncDispose]())

let jpeg = ''
let png = ''
let bytes: Buffer = Buffer.alloc(0)
let etag = ''
let lastModified = ''

before(async () => {
  jpeg = await orderOne(server, { size: '1536x1024' })
  png = await orderOne(server, { preserveOriginal: true })
  await makeNow(server.engine, jpeg)
  await makeNow(server.engine, png)
  const answer = await server.get(pathOf(jpeg))
  bytes = answer.bytes
  etag = answer.headers.get('etag') ?? ''
  lastModified = answer.headers.get('last-modified') ?? ''
})

function get(headers: Record<string, string>, method = 'GET') {
  return server.get(pathOf(jpeg), { method, headers })
}

describe('the name of an image', () => {
  test('any extension, none, and any case give the same bytes', async () => {
    for (const ending of ['.jpg', '.jpeg', '.png', '.webp', '', '.JPG', '.Png', '/', '.jpg/']) {
      for (const id of [jpeg, jpeg.toUpperCase()]) {
        const answer = await server.get(`/api/image/${id}${ending}`)
        assert.equal(answer.status, 200, ending)
        assert.equal(answer.headers.get('content-type'), 'image/jpeg')
        assert.ok(answer.bytes.equals(bytes))
      }
    }
  })

  test('the query never matters', async () => {
    const queries = [
      '?width=1216&height=832&dream',
      '?width=1216&#x26;',
      '?previewReady=3-99',
      '?',
      '??',
      '?a=%00',
      '?%',
      '?wait=8',
    ]
    for (const text of queries) {
      const answer = await server.get(`${pathOf(jpeg)}${text}`)
      assert.equal(answer.status, 200, text)
      assert.ok(answer.bytes.equals(bytes))
    }
  })

  test('a name of another shape is a 404 in JSON', async () => {
    const names = [
      'x.jpg',
      `${jpeg}.gif`,
      `${jpeg}.jpg.jpg`,
      `${jpeg}0.jpg`,
      '..%2f..%2fetc%2fpasswd',
      '%00',
      'v2-aaaaa-aaaaa.jpg',
      'a'.repeat(90),
    ]
    for (const name of names) {
      const answer = await server.get(`/api/image/${name}`)
      assert.equal(answer.status, 404, name)
      assert.equal(answer.error.code, 'not_found')
      assert.equal(answer.headers.get('cache-control'), 'no-store')
    }
  })

  test('another method is a 405 in JSON that names the right ones', async () => {
    const answer = await server.get(pathOf(jpeg), { method: 'PUT' })
    assert.equal(answer.status, 405)
    assert.equal(answer.error.code, 'method_not_allowed')
    assert.equal(answer.headers.get('allow'), 'GET, HEAD, DELETE, OPTIONS')
  })
})

describe('a ready image', () => {
  test('a JPEG is whole, of the promised size, and says all that caches need', async () => {
    const { status, headers } = await server.get(pathOf(jpeg), {
      headers: { referer: 'https://evil.example/', origin: 'null' },
    })
    assert.equal(status, 200)
    assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 1536, height: 1024 })
    assert.equal(headers.get('content-length'), String(bytes.length))
    assert.equal(headers.get('etag'), `"${createHash('sha256').update(bytes).digest('hex')}"`)
    assert.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable')
    assert.equal(headers.get('accept-ranges'), 'bytes')
    assert.equal(headers.get('set-cookie'), null)
    assert.ok(Math.abs(Date.parse(lastModified) - Date.now()) < 60_000)
    assertOpen(headers)
  })

  test('a preserved PNG is image/png under the .jpg name, and no cache keeps it beyond its transcoding', async () => {
    const answer = await server.get(pathOf(png))
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'image/png')
    assert.deepEqual(await decode(answer.bytes), { format: 'png', width: 1024, height: 1024 })
    const maxAge = /^public, max-age=(\d+)$/.exec(answer.headers.get('cache-control') ?? '')?.[1]
    const month = 30 * 86_400
    assert.ok(Number(maxAge) > month - 60 && Number(maxAge) <= month, maxAge)
  })

  test('HEAD answers like GET, without the body', async () => {
    const [head, whole] = await Promise.all([get({}, 'HEAD'), get({})])
    assert.equal(head.status, 200)
    assert.equal(head.bytes.length, 0)
    const names = ['content-type', 'content-length', 'etag', 'last-modified', 'cache-control', 'accept-ranges']
    assert.deepEqual(pick(head.headers, names), pick(whole.headers, names))
    assert.equal((await get({ range: 'bytes=0-9' }, 'HEAD')).headers.get('content-length'), String(bytes.length))
  })

  test('OPTIONS lets a browser of any origin ask with its own headers', async () => {
    const answer = await server.get(pathOf(jpeg), { method: 'OPTIONS', headers: { origin: 'https://a.example' } })
    assert.equal(answer.status, 204)
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /Range/)
  })
})

describe('conditions', () => {
  const other = '"0000"'
  const cases: readonly [string, () => Record<string, string>, number][] = [
    ['the ETag', () => ({ 'if-none-match': etag }), 304],
    ['the ETag, weak', () => ({ 'if-none-match': `W/${etag}` }), 304],
    ['a list with the ETag', () => ({ 'if-none-match': `${other}, W/"x" ,${etag}` }), 304],
    ['the star', () => ({ 'if-none-match': '*' }), 304],
    ['another ETag', () => ({ 'if-none-match': other }), 200],
    [
      'another ETag and a good date, which then does not count',
      () => ({ 'if-none-match': other, 'if-modified-since': lastModified }),
      200,
    ],
    ['its date', () => ({ 'if-modified-since': lastModified }), 304],
    ['a later date', () => ({ 'if-modified-since': new Date(Date.now() + 1e6).toUTCString() }), 304],
    ['an earlier date', () => ({ 'if-modified-since': 'Sun, 22 Nov 2015 10:00:00 GMT' }), 200],
    ['a date that is none', () => ({ 'if-modified-since': 'yesterday' }), 200],
    ['the ETag before a range', () => ({ 'if-none-match': etag, range: 'bytes=0-1' }), 304],
  ]
  for (const [name, headers, status] of cases) {
    test(`${name}: ${status}`, async () => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await get(headers(), method)
        assert.equal(answer.status, status, method)
        assert.equal(answer.headers.get('etag'), etag)
        assert.equal(answer.headers.get('cache-control'), 'public, max-age=31536000, immutable')
        assertOpen(answer.headers)
        assert.equal(answer.bytes.length, status === 304 || method === 'HEAD' ? 0 : bytes.length)
      }
    })
  }
})

describe('ranges', () => {
  const part = (start: number, end?: number) => () => ({ status: 206, start, end: end ?? bytes.length - 1 })
  const whole = () => ({ status: 200, start: 0, end: bytes.length - 1 })
  const cases: readonly [string, () => Record<string, string>, () => { status: number; start: number; end: number }][] =
    [
      ['from the start', () => ({ range: 'bytes=0-99' }), part(0, 99)],
      ['one byte', () => ({ range: 'bytes=7-7' }), part(7, 7)],
      ['open at the end', () => ({ range: 'bytes=100-' }), part(100)],
      ['beyond the end', () => ({ range: 'bytes=100-99999999999' }), part(100)],
      [
        'a suffix',
        () => ({ range: 'bytes=-50' }),
        () => ({ status: 206, start: bytes.length - 50, end: bytes.length - 1 }),
      ],
      ['a suffix longer than the image', () => ({ range: 'bytes=-99999999999' }), part(0)],
      ['the unit in another case', () => ({ range: 'Bytes=0-9' }), part(0, 9)],
      ['several ranges', () => ({ range: 'bytes=0-1,5-9' }), whole],
      ['backwards', () => ({ range: 'bytes=9-5' }), whole],
      ['another unit', () => ({ range: 'pixels=0-9' }), whole],
      ['nonsense', () => ({ range: 'bytes=-' }), whole],
      ['If-Range with the ETag', () => ({ range: 'bytes=0-9', 'if-range': etag }), part(0, 9)],
      ['If-Range with the date', () => ({ range: 'bytes=0-9', 'if-range': lastModified }), part(0, 9)],
      ['If-Range with a weak ETag', () => ({ range: 'bytes=0-9', 'if-range': `W/${etag}` }), whole],
      ['If-Range with another ETag', () => ({ range: 'bytes=0-9', 'if-range': '"0000"' }), whole],
    ]
  for (const [name, headers, expected] of cases) {
    test(`${name}: ${cases.length > 0 && expected === whole ? 200 : 206}`, async () => {
      const answer = await get(headers())
      const { status, start, end } = expected()
      assert.equal(answer.status, status)
      assert.ok(answer.bytes.equals(bytes.subarray(start, end + 1)))
      assert.equal(answer.headers.get('content-length'), String(end - start + 1))
      assert.equal(answer.headers.get('content-range'), status === 206 ? `bytes ${start}-${end}/${bytes.length}` : null)
    })
  }

  test('no byte of it: 416 in JSON that says how long the image is', async () => {
    for (const range of [`bytes=${bytes.length}-`, 'bytes=99999999999-', 'bytes=-0']) {
      const answer = await get({ range })
      assert.equal(answer.status, 416, range)
      assert.equal(answer.error.code, 'range_not_satisfiable')
      assert.equal(answer.headers.get('content-range'), `bytes */${bytes.length}`)
      assert.equal(answer.headers.get('cache-control'), 'no-store')
    }
  })
})

function pick(headers: Headers, names: readonly string[]) {
  return names.map((name) => headers.get(name))
}
