/** Which models a server takes by its configuration, and the prompts and alt texts of its enhancer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { after, describe, test } from 'node:test'
import { ConfigError, readConfig } from '@wombat/engine'
import { type StartOptions, startTestServer } from './server-fixture.ts'

const ALT = { prompt: 'a tabby cat', generateAltText: true, style: 'watercolor' }
const OWN_ALT = 'A watercolor painting of a tabby cat'

/** An upstream of OpenAI's shape, whose answers the test gives. */
async function startUpstream(answer: (body: string, response: ServerResponse) => void) {
  const bodies: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      bodies.push(body)
      answer(body, response)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    bodies,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

function complete(response: ServerResponse, text: string): void {
  const output = [{ type: 'message', content: [{ type: 'output_text', text }] }]
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ status: 'completed', output }))
}

const openServer = (upstream: { url: string }, env: StartOptions['env'] = {}) =>
  startTestServer({ role: 'api', env: { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: upstream.url, ...env } })

describe('models', () => {
  test('SYNTHETIC=off without a key of any provider is refused before the start', () => {
    assert.throws(
      () => readConfig({ SYNTHETIC: 'off' }),
      (error) => error instanceof ConfigError && /SYNTHETIC.*OPENAI_API_KEY/.test(error.message),
    )
  })

  test('with SYNTHETIC=off a model without a provider is 400, whatever the plan and the credits, and charges nothing', async () => {
    await using upstream = await startUpstream((_, response) => response.end())
    await using server = await openServer(upstream, { SYNTHETIC: 'off', BOOTSTRAP_CREDITS: '3' })
    const poor = await server.createAccount({ plan: 'basic', credits: 0 })
    for (const model of ['ideogram-3.0', 'nano-banana-2', 'standard', 'premium']) {
      for (const key of [server.apiKey, poor.apiKey]) {
        const answer = await server.post({ prompt: 'cat', model }, { key })
        assert.deepEqual([answer.status, answer.error.code], [400, 'model_unavailable'])
        assert.ok(answer.error.error.includes(model))
        assert.ok(!answer.text.includes('sk-check'))
      }
    }
    const answer = await server.post({ prompt: 'cat' })
    assert.equal(answer.headers.get('x-provider'), 'openai')
    assert.equal(await server.balance(), 2)
  })

  test('with SYNTHETIC=auto other models are drawn, and X-Provider says so', async () => {
    await using upstream = await startUpstream((_, response) => response.end())
    await using server = await openServer(upstream)
    const providerOf = async (model: string) => (await server.post({ prompt: 'cat', model })).headers.get('x-provider')
    assert.equal(await providerOf('gpt-image-2'), 'openai')
    assert.equal(await providerOf('standard'), 'synthetic')
  })
})

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

test('gpt-image-1 is gpt-image-2 at the quality that was sent, else at medium', async () => {
  const costOf = async (body: object) =>
    (await server.post({ prompt: 'cat', model: 'gpt-image-1', ...body })).headers.get('x-credits-charged')
  assert.equal(await costOf({}), '8')
  assert.equal(await costOf({ quality: null }), '8')
  assert.equal(await costOf({ quality: 'low' }), '1')
  assert.equal(await costOf({ quality: 'high' }), '20')
})

describe('the final prompt, without a language model', () => {
  const ROWS: readonly (readonly [title: string, body: object, expected: RegExp])[] = [
    ['photo when no style was sent', {}, /^a cat, .*photo/i],
    ['the style that was sent', { style: 'isometric' }, /^a cat, .*isometric/i],
    ['no style phrase for general', { style: 'general' }, /^a cat$/],
    ['as it was sent for none', { style: 'none' }, /^a cat$/],
    ['as it was sent for none also when enhanced', { style: 'none', enhancePrompt: 'on' }, /^a cat$/],
    ['as it was sent with enhancement off and without a style', { enhancePrompt: 'off' }, /^a cat$/],
    [
      'with its style, enhancement off, when the client sent one',
      { enhancePrompt: false, style: 'anime' },
      /^a cat, .*anime/i,
    ],
  ]
  for (const [title, body, expected] of ROWS) {
    test(title, async () => {
      const [image] = (await server.post({ prompt: 'a cat', ...body })).images
      const status = await server.get(`${image?.url.replace('.jpg', '.json')}`)
      const { finalPrompt } = status.json as { finalPrompt: unknown }
      assert.match(String(finalPrompt), expected)
    })
  }
})

describe('alt texts without a language model', () => {
  const altOf = async (body: object) =>
    (await server.post({ prompt: 'a tabby cat', ...body })).images.map(({ alt }) => alt)

  test('empty unless asked for', async () => {
    assert.deepEqual(await altOf({ numImages: 2 }), ['', ''])
    assert.deepEqual(await altOf({ generateAltText: null, style: 'watercolor' }), [''])
  })

  test('the kind of picture and its subject, the same for all images of a request', async () => {
    assert.deepEqual(await altOf({ ...ALT, numImages: 3 }), [OWN_ALT, OWN_ALT, OWN_ALT])
    const [photo, none, off] = [
      await altOf({ generateAltText: true }),
      await altOf({ generateAltText: true, style: 'none' }),
      await altOf({ generateAltText: true, enhancePrompt: 'off' }),
    ]
    assert.deepEqual(photo, ['A photo of a tabby cat'])
    assert.doesNotMatch(`${none}${off}`, /photo/i)
    assert.match(`${none}`, /tabby cat/)
  })

  test('short for the longest prompt, and without a line break or a quote that breaks the JSON', async () => {
    const [long = ''] = await altOf({ generateAltText: true, prompt: 'very '.repeat(6000) })
    assert.ok(long.length <= 250)
    const [odd = ''] = await altOf({ generateAltText: true, prompt: 'a "cat"\n</script>\u2028\u202e' })
    assert.match(odd, /"cat" <\/script>/)
    assert.doesNotMatch(odd, /[\n\u2028\u202e]/)
  })
})

describe('alt texts with one', () => {
  test('its answer, from one call for all images, and nothing is asked when no alt text is wanted', async () => {
    const alt = 'A watercolor painting of a tabby cat with bright green eyes'
    await using upstream = await startUpstream((_, response) =>
      complete(response, JSON.stringify({ prompt: 'better', alt })),
    )
    await using server = await openServer(upstream)
    const answer = await server.post({ ...ALT, numImages: 4 }, { headers: { 'idempotency-key': 'alt' } })
    assert.deepEqual(
      answer.images.map((image) => image.alt),
      [alt, alt, alt, alt],
    )
    const replay = await server.post({ ...ALT, numImages: 4 }, { headers: { 'idempotency-key': 'alt' } })
    assert.equal(replay.text, answer.text)
    assert.equal((await server.post({ prompt: 'a dog' })).images[0]?.alt, '')
    assert.equal(upstream.bodies.length, 1)
  })

  test('a request without the credits for it asks nobody', async () => {
    await using upstream = await startUpstream((_, response) => complete(response, '{}'))
    await using server = await openServer(upstream, { BOOTSTRAP_CREDITS: '0' })
    assert.equal((await server.post(ALT)).status, 402)
    assert.equal((await server.post({ ...ALT, size: 'x' })).status, 400)
    assert.deepEqual(upstream.bodies, [])
  })

  test('ours when it does not answer within ALT_TEXT_TIMEOUT_MS', async () => {
    await using upstream = await startUpstream(() => {})
    await using server = await openServer(upstream, { ALT_TEXT_TIMEOUT_MS: '150' })
    const began = performance.now()
    assert.equal((await server.post(ALT)).images[0]?.alt, OWN_ALT)
    assert.ok(performance.now() - began < 3_000)
    assert.equal(upstream.bodies.length, 1)
  })

  test('ours after any other fault, and the request goes on', async () => {
    const faults: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(500).end('{"error":{"message":"secret of the upstream"}}'),
      (response) => response.writeHead(429, { 'retry-after': '60' }).end(),
      (response) => response.writeHead(401).end(),
      (response) => response.destroy(),
      (response) => response.end('<html>'),
      (response) => complete(response, 'no JSON'),
      (response) => complete(response, '{"prompt":"x","alt":""}'),
      (response) => complete(response, '{"prompt":7,"alt":["x"]}'),
    ]
    let turn = 0
    await using upstream = await startUpstream((_, response) => faults[turn]?.(response))
    await using server = await openServer(upstream)
    for (; turn < faults.length; turn += 1) {
      const answer = await server.post(ALT)
      assert.equal(answer.images[0]?.alt, OWN_ALT, `fault ${turn}`)
      assert.ok(!answer.text.includes('secret'))
    }
    assert.equal(await server.balance(), 1000 - faults.length)
  })

  test('what it writes is cut and cleaned', async () => {
    const alt = `A\u0000 cat\n${'that is long '.repeat(100)}`
    await using upstream = await startUpstream((_, response) =>
      complete(response, JSON.stringify({ prompt: 'x', alt })),
    )
    await using server = await openServer(upstream)
    const text = (await server.post(ALT)).images[0]?.alt ?? ''
    assert.match(text, /^A cat that is long/)
    assert.ok(text.length <= 250)
  })
})
