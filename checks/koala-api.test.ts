/** The vendor's page, row by row, over HTTP. The name of a test begins with the section and the row. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { withClient } from '@wombat/database'
import { startTestServer } from './server-fixture.ts'

// Without a worker: these rows are about the answer to the POST.
const server = await startTestServer({ role: 'api', env: { BOOTSTRAP_CREDITS: '100000' } })
after(() => server[Symbol.asyncDispose]())
const basic = await server.createAccount({ plan: 'basic' })

const REFERENCES = [1, 2, 3, 4, 5].map((number) => `https://example.com/image${number}.jpg`)

/** What a request costs, by its header and by the balance. */
async function costOf(body: object): Promise<number> {
  const before = await server.balance()
  const answer = await server.post({ prompt: 'cat', ...body })
  assert.equal(answer.status, 200, answer.text)
  const charged = Number(answer.headers.get('x-credits-charged'))
  assert.equal(await server.balance(), before - charged)
  return charged
}

async function statusOnBasicPlan(body: object): Promise<number> {
  return (await server.post({ prompt: 'cat', ...body }, { key: basic.apiKey })).status
}

async function finalPromptOf(body: object): Promise<unknown> {
  const answer = await server.post({ prompt: 'cat', ...body })
  const status = await server.get(`${answer.images[0]?.url.replace(/\.jpg$/, '.json')}`)
  const { finalPrompt } = status.json as { finalPrompt: unknown }
  return finalPrompt
}

test('Models, gpt-image-2 (default): 1 credit fast, 8 medium, 20 high; references; fast on all plans', async () => {
  assert.equal(await costOf({}), 1)
  assert.equal(await costOf({ model: 'gpt-image-2' }), 1)
  assert.equal(await costOf({ model: 'gpt-image-2', quality: 'fast' }), 1)
  assert.equal(await costOf({ model: 'gpt-image-2', quality: 'medium' }), 8)
  assert.equal(await costOf({ model: 'gpt-image-2', quality: 'high', referenceImages: REFERENCES }), 20)
  assert.equal(await statusOnBasicPlan({ quality: 'fast' }), 200)
  assert.equal(await statusOnBasicPlan({ quality: 'medium' }), 403)
  assert.equal(await statusOnBasicPlan({ quality: 'high' }), 403)
})

test('Models, ideogram-3.0: 3 credits, Professional Plan required', async () => {
  assert.equal(await costOf({ model: 'ideogram-3.0' }), 3)
  assert.equal(await statusOnBasicPlan({ model: 'ideogram-3.0' }), 403)
})

test('Models, nano-banana-2: 5 credits, Professional Plan required, up to 5 reference images', async () => {
  assert.equal(await costOf({ model: 'nano-banana-2', referenceImages: REFERENCES }), 5)
  assert.equal(await statusOnBasicPlan({ model: 'nano-banana-2' }), 403)
})

test('Models, standard (deprecated): 1 credit', async () => {
  assert.equal(await costOf({ model: 'standard' }), 1)
  assert.equal(await statusOnBasicPlan({ model: 'standard' }), 200)
})

test('Models, premium (deprecated): 5 credits, Professional Plan required', async () => {
  assert.equal(await costOf({ model: 'premium' }), 5)
  assert.equal(await statusOnBasicPlan({ model: 'premium' }), 403)
})

test('Parameters, prompt: a string, required', async () => {
  assert.equal(await costOf({ prompt: 'a cat' }), 1)
  for (const body of [{}, { prompt: null }, { prompt: 7 }, { prompt: '' }, { prompt: ['cat'] }]) {
    const answer = await server.post(body)
    assert.equal(answer.status, 400)
    assert.match(answer.error.error, /^prompt /)
  }
})

test('Parameters, style: each of the nine is taken, photo is the default, another word is 400', async () => {
  const prompts = new Map<string, unknown>()
  for (const style of [
    'photo',
    'illustration',
    'watercolor',
    'fantasy',
    'anime',
    '3d',
    'isometric',
    'general',
    'none',
  ]) {
    prompts.set(style, await finalPromptOf({ style }))
  }
  assert.equal(await finalPromptOf({}), prompts.get('photo'))
  assert.equal(prompts.get('none'), 'cat')
  assert.match(String(prompts.get('watercolor')), /cat.*watercolor/)
  assert.ok(new Set(prompts.values()).size >= 8)
  assert.equal((await server.post({ prompt: 'cat', style: 'cubism' })).status, 400)
})

const SQUARE = '1024x1024'
/** As sent, as gpt-image-2 makes it, and as the other models do. */
const SIZES: readonly (readonly [sent: string, native: string, listed: string])[] = [
  [SQUARE, SQUARE, SQUARE],
  ['1152x896', '1536x1024', '1152x896'],
  ['1216x832', '1536x1024', '1216x832'],
  ['1344x768', '1792x1008', '1344x768'],
  ['1536x640', '1792x1008', '1536x640'],
  ['640x1536', '1008x1792', '640x1536'],
  ['768x1344', '1008x1792', '768x1344'],
  ['832x1216', '1024x1536', '832x1216'],
  ['896x1152', '1024x1536', '896x1152'],
  ['1792x1008', '1792x1008', '1792x1008'],
  ['1008x1792', '1008x1792', '1008x1792'],
  ['1:1', SQUARE, SQUARE],
  ['5:4', '1536x1024', '1152x896'],
  ['3:2', '1536x1024', '1216x832'],
  ['16:9', '1792x1008', '1344x768'],
  ['21:9', '1792x1008', '1536x640'],
  ['9:21', '1008x1792', '640x1536'],
  ['9:16', '1008x1792', '768x1344'],
  ['2:3', '1024x1536', '832x1216'],
  ['4:5', '1024x1536', '896x1152'],
  ['square', SQUARE, SQUARE],
  ['portrait', '1024x1536', '832x1216'],
  ['landscape', '1536x1024', '1216x832'],
]

for (const [size, native, listed] of SIZES) {
  test(`Parameters, size: ${size} is ${native} on gpt-image-2 and ${listed} on the others`, async () => {
    for (const [model, expected] of Object.entries({
      'gpt-image-2': native,
      'ideogram-3.0': listed,
      'nano-banana-2': listed,
      standard: listed,
      premium: listed,
    })) {
      const answer = await server.post({ prompt: 'cat', model, size })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('x-effective-size'), expected, model)
      const status = await server.get(`${answer.images[0]?.url.replace(/\.jpg$/, '.json')}`)
      const { width, height } = status.json as { width: number; height: number }
      assert.equal(`${width}x${height}`, expected)
    }
  })
}

test('Parameters, size: 1024x1024 is the default', async () => {
  assert.equal((await server.post({ prompt: 'cat' })).headers.get('x-effective-size'), SQUARE)
})

test('Parameters, numImages: an integer between 1 and 4, 1 by default, and each image is charged', async () => {
  for (const numImages of [1, 2, 3, 4]) {
    const answer = await server.post({ prompt: 'cat', numImages, model: 'ideogram-3.0' })
    assert.equal(answer.images.length, numImages)
    assert.equal(new Set(answer.images.map(({ url }) => url)).size, numImages)
    assert.equal(answer.headers.get('x-credits-charged'), String(3 * numImages))
  }
  assert.equal((await server.post({ prompt: 'cat' })).images.length, 1)
  for (const numImages of [0, 5, -1, 1.5, '5', '', true, [2], {}, 1e9]) {
    assert.equal((await server.post({ prompt: 'cat', numImages })).status, 400)
  }
})

test('Parameters, model: each of the five is taken, another is 400 and names them', async () => {
  for (const model of ['gpt-image-2', 'ideogram-3.0', 'nano-banana-2', 'standard', 'premium']) {
    assert.equal((await server.post({ prompt: 'cat', model })).status, 200)
  }
  const answer = await server.post({ prompt: 'cat', model: 'dall-e-3' })
  assert.equal(answer.status, 400)
  assert.match(answer.error.error, /gpt-image-2, ideogram-3.0, nano-banana-2, standard, premium/)
})

test('Parameters, quality: fast by default for gpt-image-2, turbo for ideogram-3.0; an unknown one is 400', async () => {
  const qualityOf = async (body: object) =>
    (await server.post({ prompt: 'cat', ...body })).headers.get('x-effective-quality')
  assert.equal(await qualityOf({}), 'fast')
  assert.equal(await qualityOf({ quality: 'medium' }), 'medium')
  assert.equal(await qualityOf({ quality: 'high' }), 'high')
  assert.equal(await qualityOf({ model: 'ideogram-3.0' }), 'turbo')
  assert.equal(await qualityOf({ model: 'ideogram-3.0', quality: 'turbo' }), 'turbo')
  assert.equal((await server.post({ prompt: 'cat', quality: 'ultra' })).status, 400)
})

test('Parameters, referenceImages: URLs, at most 5, on gpt-image-2 and nano-banana-2', async () => {
  for (const model of ['gpt-image-2', 'nano-banana-2']) {
    assert.equal((await server.post({ prompt: 'cat', model, referenceImages: REFERENCES })).status, 200)
    const six = await server.post({
      prompt: 'cat',
      model,
      referenceImages: [...REFERENCES, 'https://example.com/6.jpg'],
    })
    assert.equal(six.status, 400)
    assert.match(six.error.error, /^referenceImages /)
  }
  for (const model of ['ideogram-3.0', 'standard', 'premium']) {
    assert.equal((await server.post({ prompt: 'cat', model, referenceImages: REFERENCES })).status, 400)
  }
  for (const referenceImages of ['https://example.com/1.jpg', [7], ['no address'], ['ftp://example.com/1.jpg'], {}]) {
    assert.equal((await server.post({ prompt: 'cat', referenceImages })).status, 400)
  }
})

test('Parameters, enhancePrompt: on by default unless style is none', async () => {
  assert.equal(await finalPromptOf({ style: 'anime' }), await finalPromptOf({ style: 'anime', enhancePrompt: 'on' }))
  assert.notEqual(await finalPromptOf({}), 'cat')
  assert.equal(await finalPromptOf({ enhancePrompt: 'off' }), 'cat')
  assert.equal(await finalPromptOf({ style: 'none' }), 'cat')
  assert.equal((await server.post({ prompt: 'cat', enhancePrompt: 'maybe' })).status, 400)
})

test('Parameters, generateAltText: false by default, and alt is then an empty string', async () => {
  const altOf = async (body: object) => (await server.post({ prompt: 'a tabby cat', ...body })).images[0]?.alt
  assert.equal(await altOf({}), '')
  assert.equal(await altOf({ generateAltText: false }), '')
  assert.match((await altOf({ generateAltText: true, style: 'watercolor' })) ?? '', /watercolor.*cat/i)
  assert.equal((await server.post({ prompt: 'cat', generateAltText: 'perhaps' })).status, 400)
})

test('Errors, 400 Bad Request: invalid parameters or request format', async () => {
  assert.equal((await server.post({ prompt: 'cat', size: 'big' })).status, 400)
  assert.equal((await server.post(undefined, { rawBody: '{"prompt":' })).status, 400)
})

test('Errors, 401 Unauthorized: invalid or missing API key', async () => {
  assert.equal((await server.post({ prompt: 'cat' }, { key: null })).status, 401)
  assert.equal((await server.post({ prompt: 'cat' }, { key: crypto.randomUUID() })).status, 401)
})

test('Errors, 402 Payment Required: insufficient credits', async () => {
  const poor = await server.createAccount({ credits: 7 })
  assert.equal((await server.post({ prompt: 'cat', quality: 'medium' }, { key: poor.apiKey })).status, 402)
  assert.equal(await server.balance(poor.accountId), 7)
})

test('Errors, 403 Forbidden: selected model or quality requires the Professional Plan', async () => {
  const answer = await server.post({ prompt: 'cat', model: 'premium' }, { key: basic.apiKey })
  assert.equal(answer.status, 403)
  assert.match(
    answer.error.error,
    /premium .* needs the Professional Plan.*you can use gpt-image-2 at quality fast, and standard/,
  )
})

test('Errors, 429 Too Many Requests: rate limit exceeded', async () => {
  const hasty = await server.createAccount({ keyRateLimitPerMinute: 1 })
  const statuses = []
  for (let turn = 0; turn < 2; turn += 1) {
    statuses.push((await server.post({ prompt: 'cat' }, { key: hasty.apiKey })).status)
  }
  assert.deepEqual(statuses, [200, 429])
})

test('Errors, 500 Internal Server Error: says nothing of the inside and charges nothing', async () => {
  const before = await server.balance()
  const rename = (from: string, to: string) =>
    withClient(server.databaseUrl, (client) => client.query(`ALTER FUNCTION ${from}(jsonb, boolean) RENAME TO ${to}`))
  await rename('accept_requests', 'elsewhere')
  try {
    const answer = await server.post({ prompt: 'cat' })
    assert.equal(answer.status, 500)
    assert.equal(answer.error.code, 'internal_error')
    assert.doesNotMatch(answer.text, /accept_requests|function|postgres/i)
  } finally {
    await rename('elsewhere', 'accept_requests')
  }
  assert.equal(await server.balance(), before)
})
