/** Bodies that no honest client sends: always an answer from 400 to 499, never a debit, never a stored row. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { parseRaw, sendRaw } from './raw-http.ts'
import { GENERATE } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

const MIB = 1024 * 1024
const bytes = (...parts: (string | number[])[]) =>
  new Uint8Array(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)))))

describe('no JSON: 400', () => {
  const BROKEN: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
    nothing: '',
    'white space': ' \n',
    'an end in the middle': '{"prompt":"cat"',
    'a comma too many': '{"prompt":"cat",}',
    'two values': '{"prompt":"cat"}{"prompt":"cat"}',
    'single quotes': `{'prompt':'cat'}`,
    'a comment': '{"prompt":"cat"/* a cat */}',
    NaN: '{"prompt":"cat","numImages":NaN}',
    'a bare NUL': '{"prompt":"c\0at"}',
    'a NUL behind': '{"prompt":"cat"}\0',
    'a line break in a text': '{"prompt":"c\nat"}',
    'half an escape': '{"prompt":"\\u12"}',
    form: 'prompt=cat',
    'a bad byte in a text': bytes('{"prompt":"c', [0xff], 'at"}'),
    'an overlong slash': bytes('{"prompt":"', [0xc0, 0xaf], '"}'),
    'a surrogate in UTF-8': bytes('{"prompt":"', [0xed, 0xa0, 0x80], '"}'),
    'a cut character': bytes('{"prompt":"cat', [0xf0, 0x9f, 0x98]),
    'UTF-16': new Uint8Array(Buffer.from('{"prompt":"cat"}', 'utf16le')),
    'a mark of UTF-16': bytes([0xff, 0xfe], '{"prompt":"cat"}'),
    'half a MiB of brackets': '['.repeat(MIB / 2),
    'half a MiB of objects': '{"a":'.repeat(100_000),
  }
  for (const [title, rawBody] of Object.entries(BROKEN)) {
    test(title, async () => {
      const { status, error, text } = await server.post(undefined, { rawBody })
      assert.equal(status, 400)
      assert.equal(error.code, 'invalid_json')
      assert.ok(text.length < 500)
    })
  }
})

describe('keys of the prototype are fields like any other, unknown ones', () => {
  const RAW: Readonly<Record<string, string>> = {
    __proto__: '{"prompt":"cat","__proto__":{"numImages":4,"quality":"high"}}',
    'constructor, toString': '{"prompt":"cat","constructor":{"prototype":{"numImages":4}},"toString":1}',
    hasOwnProperty: '{"prompt":"cat","hasOwnProperty":"x"}',
  }
  for (const [names, rawBody] of Object.entries(RAW)) {
    test(names, async () => {
      const answer = await server.post(undefined, { rawBody })
      assert.equal(answer.images.length, 1)
      assert.equal(answer.headers.get('x-credits-charged'), '1')
      assert.equal(answer.headers.get('x-ignored-params'), names)
      assert.equal(Object.hasOwn(Object.prototype, 'numImages'), false)
    })
  }

  test('a prompt that only the prototype has is none', async () => {
    assert.equal((await server.post(undefined, { rawBody: '{"__proto__":{"prompt":"cat"}}' })).status, 400)
  })
})

describe('X-Ignored-Params', () => {
  const ignored = async (fields: object) =>
    (await server.post({ prompt: 'cat', ...fields })).headers.get('x-ignored-params')

  test('carries nothing that a header can not', async () => {
    const hostile = { 'a\r\nSet-Cookie: b': 1, 'ü😀': 1, '\0': 1, 'a, b': 1, '\ud800': 1, ' ': 1 }
    assert.equal(await ignored(hostile), 'a??Set-Cookie:?b, ???, ?, a??b, ?, ?')
    assert.equal(await ignored({ '': 1 }), null)
  })

  test('names at most 20 fields, with at most 64 characters of each', async () => {
    const fields = Object.fromEntries(
      Array.from({ length: 5000 }, (_, number) => [`${'n'.repeat(80)}${number}`, number]),
    )
    const header = (await ignored(fields)) ?? ''
    assert.deepEqual(
      header.split(', '),
      Array.from({ length: 20 }, () => 'n'.repeat(64)),
    )
  })
})

describe('size', () => {
  const AROUND = '{"prompt":"cat","padding":""}'
  const ofLength = (length: number) => AROUND.replace('""', `"${'x'.repeat(length - AROUND.length)}"`)

  test('a body of exactly 1 MiB is taken, one byte more is 413', async () => {
    assert.equal((await server.post(undefined, { rawBody: ofLength(MIB) })).status, 200)
    const answer = await server.post(undefined, { rawBody: ofLength(MIB + 1) })
    assert.deepEqual([answer.status, answer.error.code], [413, 'payload_too_large'])
  })

  test('413 also for a body in chunks, and before all of it has come', async () => {
    const head = `POST ${GENERATE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.apiKey}\r\nConnection: close\r\n`
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const endless = Array.from({ length: 17 }, () => chunk)
    const answer = parseRaw(await sendRaw(server.url, [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...endless]))
    assert.equal(answer.status, 413)
    assert.match(answer.body, /"code":"payload_too_large"/)
  })

  test('413 for a length that is only announced', async () => {
    const head = `POST ${GENERATE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.apiKey}\r\nConnection: close\r\n`
    const answer = parseRaw(await sendRaw(server.url, `${head}Content-Length: 99999999999\r\n\r\n{`))
    assert.equal(answer.status, 413)
  })
})

describe('type', () => {
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/json',
    'jason',
    'application/jsonp',
    'application/json, text/plain',
    '',
  ]) {
    test(`415 for ${type === '' ? 'an empty Content-Type' : type}`, async () => {
      const answer = await server.post({ prompt: 'cat' }, { headers: { 'content-type': type } })
      assert.deepEqual([answer.status, answer.error.code], [415, 'unsupported_media_type'])
    })
  }

  test('415 for every Content-Encoding but identity', async () => {
    for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'gzip, identity', 'x']) {
      const answer = await server.post({ prompt: 'cat' }, { headers: { 'content-encoding': encoding } })
      assert.equal(answer.status, 415, encoding)
    }
    assert.equal((await server.post({ prompt: 'cat' }, { headers: { 'content-encoding': 'Identity' } })).status, 200)
  })
})

test('300 bodies of chance: no 5xx, no debit and no row for any that is refused', async () => {
  const victim = await server.createAccount({ credits: 500 })
  const chance = randomFrom(20_261_122)
  let spent = 0
  let accepted = 0
  const statuses = new Map<number, number>()
  for (let turn = 0; turn < 300; turn += 1) {
    const rawBody = hostileBody(chance)
    const answer = await server.post(undefined, { key: victim.apiKey, rawBody })
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    if (answer.status === 200) {
      spent += Number(answer.headers.get('x-credits-charged'))
      accepted += 1
    } else {
      assert.ok([400, 402, 413].includes(answer.status), `${answer.status} for ${String(rawBody).slice(0, 200)}`)
      assert.ok(answer.error.error.length < 600)
    }
  }
  assert.equal(await server.balance(victim.accountId), 500 - spent)
  assert.equal(await server.db.prisma.request.count({ where: { accountId: victim.accountId } }), accepted)
  assert.ok((statuses.get(400) ?? 0) > 150, JSON.stringify([...statuses]))
})

/** The same numbers from 0 to 1 at every run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const FIELDS = [
  'prompt',
  'style',
  'size',
  'numImages',
  'model',
  'quality',
  'referenceImages',
  'enhancePrompt',
  'preserveOriginal',
  'generateAltText',
  '__proto__',
  'x',
]

const VALUES: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    -1,
    4,
    2 ** 53,
    1e308,
    0.1,
    '',
    ' ',
    '0',
    '1',
    'NaN',
    'photo',
    'none',
    'high',
    'standard',
  ],
  ...[
    'cat',
    '\0',
    '\ud800',
    '\udc00\ud800',
    '\u202e',
    '😀'.repeat(20_000),
    'x'.repeat(40_000),
    "'; DROP TABLE accounts; --",
  ],
  ...[
    '{{7*7}}',
    '%s%n',
    '../../etc/passwd',
    '1024x1024',
    '1e3x1e3',
    '99999x1',
    '1:0',
    '-1:1',
    'constructor',
    '__proto__',
  ],
  ...[[], {}, [[]], [null], ['https://a.example/'], Array.from({ length: 9999 }, () => 'https://a.example/')],
  ...[{ toString: 1 }, { length: 5 }, { prompt: 'cat' }, nested(2000), ['http://[::1]/', 'http://169.254.169.254/']],
]

function nested(depth: number): unknown {
  let value: unknown = 'deep'
  for (let level = 0; level < depth; level += 1) {
    value = level % 2 === 0 ? [value] : { value }
  }
  return value
}

function hostileBody(chance: () => number): string | Uint8Array<ArrayBuffer> {
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(chance() * items.length)]
  const fields = FIELDS.filter(() => chance() < 0.3).map(
    (field) => `${JSON.stringify(field)}:${JSON.stringify(pick(VALUES))}`,
  )
  const text = `{${[...(chance() < 0.6 ? ['"prompt":"cat"'] : []), ...fields].join(',')}}`
  const fate = chance()
  if (fate < 0.1) {
    return text.slice(0, Math.floor(chance() * text.length))
  }
  if (fate < 0.3) {
    const damaged = Buffer.from(text)
    damaged[Math.floor(chance() * damaged.length)] = Math.floor(chance() * 256)
    return new Uint8Array(damaged)
  }
  return text
}
