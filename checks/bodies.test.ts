/** Bodies of a POST: what is forgiven, what is not, and in which words. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { parseRaw, sendRaw } from './raw-http.ts'
import { GENERATE } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({
  role: 'api',
  env: { MODEL_ALIASES: 'my-model=nano-banana-2,gpt-image-1=standard' },
})
after(() => server[Symbol.asyncDispose]())

/** Each with what its answer must say in a header. */
const FORGIVEN: readonly (readonly [title: string, body: object, header: string, value: string])[] = [
  ['numImages as text', { numImages: '2' }, 'x-credits-charged', '2'],
  ['null for every optional field', nulls(), 'x-effective-size', '1024x1024'],
  ['preserveOriginal as text', { preserveOriginal: 'true' }, 'x-credits-charged', '1'],
  ['generateAltText as text', { generateAltText: 'false' }, 'x-credits-charged', '1'],
  ['enhancePrompt as a boolean', { enhancePrompt: false }, 'x-credits-charged', '1'],
  ['quality low as fast', { quality: 'low' }, 'x-effective-quality', 'fast'],
  ['quality auto as fast', { quality: 'auto' }, 'x-effective-quality', 'fast'],
  ['quality standard as fast', { quality: 'standard' }, 'x-effective-quality', 'fast'],
  ['quality hd as high', { quality: 'hd' }, 'x-effective-quality', 'high'],
  ["a quality of another model, at this one's price", { quality: 'turbo' }, 'x-ignored-params', 'quality'],
  ['a quality for a model that has none', { model: 'premium', quality: 'high' }, 'x-credits-charged', '5'],
  ['the alias ideogram-3', { model: 'ideogram-3' }, 'x-credits-charged', '3'],
  ['the alias ideogram-v3', { model: 'ideogram-v3' }, 'x-credits-charged', '3'],
  ['the alias nano-banana', { model: 'nano-banana' }, 'x-credits-charged', '5'],
  ['an alias of the operator', { model: 'my-model' }, 'x-credits-charged', '5'],
  ["the operator's alias before ours", { model: 'gpt-image-1' }, 'x-credits-charged', '1'],
  ['empty referenceImages on any model', { model: 'standard', referenceImages: [] }, 'x-credits-charged', '1'],
  ['a size that is not listed', { size: '1792x1024' }, 'x-effective-size', '1792x1008'],
  ['the smallest size', { size: '64x64' }, 'x-effective-size', '1024x1024'],
  ['the largest size', { size: '4096x64', model: 'standard' }, 'x-effective-size', '1536x640'],
  ['a ratio that is not listed', { size: '3:4' }, 'x-effective-size', '1024x1536'],
  [
    'preserveOriginal where it has no effect',
    { model: 'standard', preserveOriginal: true },
    'x-ignored-params',
    'preserveOriginal',
  ],
  ['fields of OpenAI', { background: 'auto', output_format: 'png' }, 'x-ignored-params', 'background, output_format'],
]

function nulls(): object {
  const fields = [
    'style',
    'size',
    'numImages',
    'model',
    'quality',
    'referenceImages',
    'enhancePrompt',
    'preserveOriginal',
  ]
  return Object.fromEntries([...fields, 'generateAltText'].map((field) => [field, null]))
}

describe('forgiven', () => {
  for (const [title, body, header, value] of FORGIVEN) {
    test(title, async () => {
      const answer = await server.post({ prompt: 'cat', ...body })
      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.headers.get(header), value)
    })
  }

  test('JSON under any type of JSON, or without a Content-Type', async () => {
    for (const type of [
      'application/json; charset=utf-8',
      'APPLICATION/JSON',
      'application/json;',
      'application/ld+json',
    ]) {
      assert.equal((await server.post({ prompt: 'cat' }, { headers: { 'content-type': type } })).status, 200, type)
    }
    const answer = await server.post(undefined, { rawBody: new TextEncoder().encode('{"prompt":"cat"}') })
    assert.equal(answer.status, 200)
  })

  test('a byte order mark, and white space around', async () => {
    for (const rawBody of ['\ufeff{"prompt":"cat"}', ' \r\n\t{ "prompt" : "cat" } \n']) {
      assert.equal((await server.post(undefined, { rawBody })).status, 200)
    }
  })

  test('a key that comes twice: the last one counts', async () => {
    const rawBody = '{"prompt":"cat","numImages":9,"numImages":2,"prompt":"dog","generateAltText":true}'
    const answer = await server.post(undefined, { rawBody })
    assert.deepEqual(
      answer.images.map(({ alt }) => alt),
      ['A photo of a dog', 'A photo of a dog'],
    )
  })

  test('a prompt of 32,000 characters is taken whole, with white space around it trimmed', async () => {
    const prompt = `${'😀'.repeat(31_999)}x`
    const answer = await server.post({ prompt: `  ${prompt}\n`, style: 'none' })
    assert.equal(answer.status, 200)
    const { finalPrompt } = (await server.get(`${answer.images[0]?.url.replace('.jpg', '.json')}`)).json as {
      finalPrompt: string
    }
    assert.equal(finalPrompt, prompt)
  })

  test('an unknown Expect is passed over', async () => {
    const body = '{"prompt":"cat"}'
    const head = `POST ${GENERATE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.apiKey}\r\nConnection: close\r\n`
    const text = await sendRaw(server.url, `${head}Expect: magic\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    assert.equal(parseRaw(text).status, 200)
  })
})

/** Each with the field that its answer must name. */
const REFUSED: readonly (readonly [title: string, body: unknown, field: string])[] = [
  ['no prompt', {}, 'prompt'],
  ['a prompt of white space', { prompt: ' \n\t\u00a0' }, 'prompt'],
  ['a prompt of 32,001 characters', { prompt: '😀'.repeat(32_001) }, 'prompt'],
  ['a prompt with NUL', { prompt: 'a\0b' }, 'prompt'],
  ['a prompt with half a character', { prompt: 'a\ud800b' }, 'prompt'],
  ['a prompt with the other half', { prompt: '\udc00' }, 'prompt'],
  ['style in capitals', { prompt: 'cat', style: 'Photo' }, 'style'],
  ['style as a list', { prompt: 'cat', style: ['photo'] }, 'style'],
  ['style __proto__', { prompt: 'cat', style: '__proto__' }, 'style'],
  ['size 63x64', { prompt: 'cat', size: '63x64' }, 'size'],
  ['size 4097x64', { prompt: 'cat', size: '4097x64' }, 'size'],
  ['size 0:1', { prompt: 'cat', size: '0:1' }, 'size'],
  ['size with a NUL', { prompt: 'cat', size: '1024x1024\0' }, 'size'],
  ['size as an object', { prompt: 'cat', size: { width: 1024, height: 1024 } }, 'size'],
  ['size constructor', { prompt: 'cat', size: 'constructor' }, 'size'],
  ['numImages 0', { prompt: 'cat', numImages: 0 }, 'numImages'],
  ['numImages " 2"', { prompt: 'cat', numImages: ' 2' }, 'numImages'],
  ['numImages true', { prompt: 'cat', numImages: true }, 'numImages'],
  ['model constructor', { prompt: 'cat', model: 'constructor' }, 'model'],
  ['model __proto__', { prompt: 'cat', model: '__proto__' }, 'model'],
  ['model toString', { prompt: 'cat', model: 'toString' }, 'model'],
  ['model empty', { prompt: 'cat', model: '' }, 'model'],
  ['model with half a character', { prompt: 'cat', model: '\ud800' }, 'model'],
  ['quality constructor', { prompt: 'cat', quality: 'constructor' }, 'quality'],
  ['quality as a number', { prompt: 'cat', quality: 1 }, 'quality'],
  ['enhancePrompt "true"', { prompt: 'cat', enhancePrompt: 'true' }, 'enhancePrompt'],
  ['preserveOriginal 1', { prompt: 'cat', preserveOriginal: 1 }, 'preserveOriginal'],
  ['generateAltText "yes"', { prompt: 'cat', generateAltText: 'yes' }, 'generateAltText'],
  ['a reference with a user', { prompt: 'cat', referenceImages: ['https://u:p@example.com/'] }, 'referenceImages[0]'],
  [
    'a second reference of another scheme',
    references('https://a.example/1', 'file:///etc/passwd'),
    'referenceImages[1]',
  ],
  ['a reference with NUL', references('https://a.example/\0'), 'referenceImages[0]'],
  ['a reference with half a character', references('https://a.example/\ud800'), 'referenceImages[0]'],
  ['a reference of 2049 characters', references(`https://a.example/${'x'.repeat(2031)}`), 'referenceImages[0]'],
  ['a body that is a list', [{ prompt: 'cat' }], 'body'],
  ['a body that is a text', 'cat', 'body'],
  ['a body that is null', null, 'body'],
]

function references(...referenceImages: string[]): object {
  return { prompt: 'cat', referenceImages }
}

describe('refused with 400, which names the field and what it takes', () => {
  for (const [title, body, field] of REFUSED) {
    test(title, async () => {
      const { status, error } = await server.post(body)
      assert.equal(status, 400)
      assert.equal(error.code, 'invalid_request')
      assert.equal(error.details?.field, field)
      assert.ok(error.error.startsWith(field === 'body' ? 'The body must be' : `${field} `), error.error)
      assert.match(error.error, /must be .+\.$/)
    })
  }

  test('the prompt and the references are not repeated, and of the rest not more than 64 characters', async () => {
    const secret = 'a-secret-of-the-client'
    const sent = [
      { prompt: `${secret}\0` },
      references(`ftp://${secret}.example/`),
      { prompt: 'cat', model: secret.repeat(20) },
      { prompt: 'cat', style: secret.repeat(20) },
    ]
    const texts = await Promise.all(sent.map(async (body) => (await server.post(body)).text))
    assert.ok(!texts[0]?.includes(secret) && !texts[1]?.includes(secret))
    for (const text of texts) {
      assert.ok(!text.includes(secret.repeat(3)))
    }
  })

  test('all faults are in the details, the first one is the message', async () => {
    const { error } = await server.post({ size: 'x', style: 'y', prompt: '' })
    const issues = error.details?.issues as { field: string; message: string }[]
    assert.deepEqual(
      issues.map(({ field }) => field),
      ['prompt', 'style', 'size'],
    )
    assert.equal(error.error, issues[0]?.message)
  })
})
