import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { EXPECTED, FIELDS, type Field, type GenerationBody, generationBodySchema, STYLES } from './generation-body.ts'

const EMOJI = '\u{1f428}'

/** What one field becomes, or the first thing that is wrong with it. */
function read(field: Field, value: unknown): unknown {
  const { success, data, error } = generationBodySchema.safeParse({ prompt: 'cat', [field]: value })
  return success ? data[field] : error.issues[0]?.message
}

function accepts(field: Field, cases: ReadonlyArray<readonly [sent: unknown, becomes: unknown]>) {
  for (const [sent, becomes] of cases) {
    assert.deepEqual(read(field, sent), becomes, `${field}: ${JSON.stringify(sent)}`)
  }
}

function refuses(field: Field, values: readonly unknown[]) {
  for (const value of values) {
    const { error } = generationBodySchema.safeParse({ prompt: 'cat', [field]: value })
    assert.ok(error, `${field} took ${JSON.stringify(value)?.slice(0, 80)}`)
    assert.equal(error.issues.length, 1)
    for (const { path, message } of error.issues) {
      assert.equal(path[0], field)
      assert.match(message, /^(is required and )?must be /)
    }
  }
}

test('the schema has the fields of the vendor page, each with words for what it takes', () => {
  assert.deepEqual(Object.keys(generationBodySchema.shape), [...FIELDS])
  assert.deepEqual(Object.keys(EXPECTED), [...FIELDS])
  assert.equal(FIELDS.length, 10)
})

test('every field but prompt may be absent or null', () => {
  const body: Record<string, unknown> = { prompt: 'cat' }
  assert.deepEqual(generationBodySchema.parse(body), generationBodySchema.parse({ prompt: 'cat' }))
  for (const field of FIELDS.slice(1)) {
    assert.equal(read(field, null), undefined)
    body[field] = null
  }
  assert.deepEqual(Object.values(generationBodySchema.parse(body)), ['cat', ...Array(9).fill(undefined)])
})

test('a prompt is trimmed and otherwise left as it is', () => {
  accepts('prompt', [
    ['cat', 'cat'],
    ['  a\tb\n\nc \r\n', 'a\tb\n\nc'],
    ['\u00a0\ufeffcat\u3000', 'cat'],
    ['\u0001\u007f', '\u0001\u007f'],
    [EMOJI, EMOJI],
    ['"); DROP TABLE images; --', '"); DROP TABLE images; --'],
  ])
})

test('a prompt has 1 to 32,000 characters after trimming, and an emoji is one', () => {
  const limit = 32_000
  accepts('prompt', [
    ['a', 'a'],
    ['a'.repeat(limit), 'a'.repeat(limit)],
    [`${' '.repeat(limit)}a${' '.repeat(limit)}`, 'a'],
    [EMOJI.repeat(limit), EMOJI.repeat(limit)],
  ])
  refuses('prompt', ['', ' ', '\n\t\u00a0', 'a'.repeat(limit + 1), EMOJI.repeat(limit + 1), 'a'.repeat(1_000_000)])
  refuses('prompt', [`${EMOJI}${'a'.repeat(limit)}`])
})

test('a prompt with a NUL or half a character is refused', () => {
  refuses('prompt', ['\0', 'a\0b', '\ud83d', 'a\udc28b', '\udc28\ud83d', `${EMOJI}\ud83d`])
})

test('a prompt must be there and must be a string', () => {
  refuses('prompt', [undefined, null, 5, true, [], ['cat'], {}])
  assert.match(String(read('prompt', undefined)), /^is required/)
  assert.match(String(read('prompt', null)), /^is required/)
})

test('a style is one of nine words', () => {
  assert.equal(STYLES.length, 9)
  accepts(
    'style',
    STYLES.map((style) => [style, style]),
  )
  refuses('style', ['', 'Photo', 'photo ', 'oil', 3, true, [], ['photo'], {}, '__proto__', 'toString'])
})

test('a size is pixels, a ratio or a word', () => {
  accepts('size', [
    ['1024x1024', { width: 1024, height: 1024 }],
    ['16:9', { width: 1344, height: 768 }],
    ['7:5', { width: 7, height: 5 }],
    ['portrait', { width: 832, height: 1216 }],
  ])
  refuses('size', ['', '1024', '63x64', '4097x64', '0:1', 'auto', 1024, [1024, 1024], { width: 1 }, true])
})

test('numImages is an integer from 1 to 4, as a number or as its digit', () => {
  accepts('numImages', [
    [1, 1],
    [2, 2],
    [4, 4],
    ['1', 1],
    ['2', 2],
    ['4', 4],
  ])
  refuses('numImages', [0, 5, -1, 1.5, 1e9, Number.NaN, '0', '5', '', ' 2', '2.0', '02', '1e0', 'two', true, [2], {}])
})

test('a model is a string', () => {
  accepts('model', [['anything', 'anything']])
  refuses('model', [2, true, [], {}])
})

test('a quality is a word that some model knows', () => {
  const words = ['fast', 'medium', 'high', 'low', 'auto', 'standard', 'hd', 'turbo']
  accepts(
    'quality',
    words.map((word) => [word, word]),
  )
  refuses('quality', ['', 'ultra', 'Fast', 'xhigh', 1, true, [], {}, '__proto__', 'constructor'])
})

test('enhancePrompt is on or off, or a boolean', () => {
  accepts('enhancePrompt', [
    ['on', true],
    ['off', false],
    [true, true],
    [false, false],
  ])
  refuses('enhancePrompt', ['', 'On', 'OFF', 'true', 'false', 'yes', 1, 0, [], {}])
})

test('a boolean may be sent as its word', () => {
  for (const field of ['preserveOriginal', 'generateAltText'] as const) {
    accepts(field, [
      [true, true],
      [false, false],
      ['true', true],
      ['false', false],
    ])
    refuses(field, ['', 'True', 'on', 'off', 'yes', 0, 1, '1', [], {}])
  }
})

test('referenceImages has at most five http or https URLs, kept as they were sent', () => {
  const urls = [
    'https://example.com/a.png',
    'HTTP://EXAMPLE.COM',
    'http://example.com:8080/a?b=c#d',
    'https://xn--bcher-kva.example/ä b.png',
    'https://[2001:db8::1]/a.png',
    'http://localhost/a.png',
    'http://10.0.0.1/user@host',
  ]
  accepts('referenceImages', [
    [[], []],
    [urls.slice(0, 5), urls.slice(0, 5)],
    ...urls.map((url) => [[url], [url]] as const),
  ])
  refuses('referenceImages', [urls.slice(0, 6), 'https://example.com', '', {}, 5, true, [null], [5], [['https://a.b']]])
})

test('a reference that is no http or https URL, or carries credentials, is refused', () => {
  const faulty = [
    '',
    'cat',
    '/a.png',
    '//example.com/a.png',
    'http:example.com',
    'http:/example.com',
    'http://',
    'https:///example.com',
    'http://[::1',
    'http://a b.com/',
    'http://1.2.3.256/',
    'http://example.com:65536/',
    'ftp://example.com/a.png',
    'file:///etc/passwd',
    'data:image/png;base64,AAAA',
    'javascript:alert(1)',
    'http\u017f://example.com/',
    ' https://example.com/a.png',
    '\thttps://example.com/a.png',
    'https://exam\nple.com/a.png',
    'https://example.com/\0',
    'https://example.com/\u0085',
    'https://example.com/\ud800',
    'https://example.com\\@evil.example/',
    'https://user@example.com/',
    'https://user:password@example.com/',
    'https://:password@example.com/',
    'http://good.example@evil.example/',
  ]
  for (const url of faulty) {
    assert.match(String(read('referenceImages', [url])), /^must be an http\(s\) URL/, JSON.stringify(url))
  }
})

test('a reference has at most 2,048 characters', () => {
  const url = 'https://example.com/'.padEnd(2048, 'a')
  accepts('referenceImages', [[[url], [url]]])
  refuses('referenceImages', [[`${url}a`], [url.repeat(100)]])
})

test('a long list of bad references makes one issue', () => {
  const { error } = generationBodySchema.safeParse({ prompt: 'cat', referenceImages: Array(200_000).fill(null) })
  assert.equal(error?.issues.length, 1)
})

test('a body written by the types is accepted', () => {
  const body: GenerationBody = {
    prompt: 'cat',
    style: 'watercolor',
    size: '1024x1024',
    numImages: 1,
    model: 'gpt-image-2',
    quality: 'medium',
    referenceImages: ['https://example.com/image1.jpg'],
    enhancePrompt: 'on',
    preserveOriginal: true,
    generateAltText: undefined,
  }
  assert.ok(generationBodySchema.safeParse(body).success)
})

test('the schema can be printed for documents, with prompt as the only required field', () => {
  const { properties, required } = z.toJSONSchema(generationBodySchema, { io: 'input' })
  assert.deepEqual(Object.keys(properties ?? {}), [...FIELDS])
  assert.deepEqual(required, ['prompt'])
})
