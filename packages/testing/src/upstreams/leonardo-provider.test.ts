import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import type { FailureClass, ImageProvider } from '@wombat/generation'
import type { LeonardoEmulator } from './leonardo-emulator.ts'
import { type LeonardoError, leonardoError } from './leonardo-error.ts'
import type { LeonardoFault } from './leonardo-faults.ts'
import {
  LEONARDO_KEY,
  LEONARDO_REQUEST,
  type LeonardoStand,
  never,
  ORDER,
  openLeonardoStand,
  PROMPT,
} from './leonardo-provider.fixture.ts'
import { PHOENIX_V1 } from './leonardo-rules.ts'

const NONE = '556c1ee5-ec38-42e8-955a-1e82dad0ffa1'

describe('the Leonardo provider', () => {
  let stand: LeonardoStand
  let emulator: LeonardoEmulator
  let provider: ImageProvider
  let fail: LeonardoStand['fail']
  let open: LeonardoStand['open']
  before(async () => {
    stand = await openLeonardoStand()
    ;({ emulator, provider, fail, open } = stand)
  })
  afterEach(() => stand.mend())
  after(() => emulator.close())

  it('orders one picture in the words of the API and hands over its bytes, usage and cost', async () => {
    const from = emulator.requests.length
    const image = await provider.generate(LEONARDO_REQUEST, never)
    const sent = emulator.requests.slice(from)
    assert.deepEqual(sent[0]?.body, {
      model: 'phoenix-v1.0',
      public: false,
      parameters: {
        prompt: PROMPT,
        mode: 'FAST',
        contrast: 'MEDIUM',
        width: 1152,
        height: 896,
        quantity: 1,
        style_ids: [NONE],
        prompt_enhance: 'OFF',
      },
    })
    assert.deepEqual(
      sent.map(({ method, path, pictures }) => [method, path, pictures]),
      [
        ['POST', '/api/rest/v2/generations', 1],
        ['GET', `/api/rest/v1/generations/${image.upstreamId}`, 0],
        ['GET', `/cdn/${image.upstreamId}/0.jpg`, 0],
      ],
    )
    assert.deepEqual(
      sent.map(({ headers }) => headers.authorization),
      [`Bearer ${LEONARDO_KEY}`, `Bearer ${LEONARDO_KEY}`, undefined],
      'the key does not go to the link',
    )
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1152, 896])
    assert.equal(image.bytes.toString('latin1', 0, 3), '\xff\xd8\xff')
    assert.equal(image.costMicroUsd, 14_700)
    assert.equal(image.usage, undefined)
  })

  it('asks for more care with premium', async () => {
    const image = await provider.generate({ ...LEONARDO_REQUEST, model: 'premium' }, never)
    const sent = emulator.requests.findLast(({ method }) => method === 'POST')
    assert.equal(Object(sent?.body).parameters.mode, 'QUALITY')
    assert.equal(image.costMicroUsd, 29_400)
  })

  it('speaks the first version to a model with a UUID', async () => {
    const older = open({ model: PHOENIX_V1 })
    for (const model of ['standard', 'premium'] as const) {
      const image = await older.generate({ ...LEONARDO_REQUEST, model }, never)
      const sent = emulator.requests.findLast(({ method }) => method === 'POST')
      assert.equal(sent?.path, '/api/rest/v1/generations')
      assert.deepEqual(sent.body, {
        modelId: PHOENIX_V1,
        prompt: PROMPT,
        width: 1152,
        height: 896,
        num_images: 1,
        contrast: 3.5,
        alchemy: model === 'premium',
        public: false,
        styleUUID: NONE,
        enhancePrompt: false,
      })
      assert.deepEqual(image.usage, { apiCreditCost: model === 'premium' ? 16 : 8 })
    }
  })

  const SIZES = [
    '1024x1024 1152x896 1216x832 1344x768 1536x640 640x1536 768x1344 832x1216 896x1152 1792x1008 1008x1792',
    '1024x1024 1152x896 1216x832 1344x768 1536x640 640x1536 768x1344 832x1216 896x1152 1536x864 864x1536',
  ].map((line) => line.split(' '))
  it('makes every size, and in the first version the two largest smaller', async () => {
    for (const [index, model] of ['phoenix-v1.0', PHOENIX_V1].entries()) {
      for (const [at, size] of (SIZES[0] ?? []).entries()) {
        const [width = 0, height = 0] = size.split('x').map(Number)
        const { bytes } = await open({ model }).generate({ ...LEONARDO_REQUEST, width, height }, never)
        const picture = await loadImage(bytes)
        assert.equal(`${picture.width}x${picture.height}`, SIZES[index]?.[at])
      }
    }
    const { bytes } = await provider.generate({ ...LEONARDO_REQUEST, width: 4096, height: 1001 }, never)
    const { width, height } = await loadImage(bytes)
    assert.deepEqual([width, height], [2048, 504])
  })

  it('cuts a prompt that is too long between two words, for Leonardo alone', async () => {
    for (const [model, limit] of [
      ['phoenix-v1.0', 2000],
      [PHOENIX_V1, 1500],
    ] as const) {
      for (const [prompt, sent] of [
        ['x'.repeat(limit), 'x'.repeat(limit)],
        ['seven77 '.repeat(400), 'seven77 '.repeat(limit / 8).trim()],
        [`${'x'.repeat(limit - 3)} fox jumps`, `${'x'.repeat(limit - 3)}`],
        [`${'x'.repeat(limit - 4)} fox jumps`, `${'x'.repeat(limit - 4)} fox`],
        [`${'x'.repeat(limit - 1)}🦊🦊`, 'x'.repeat(limit - 1)],
        ['狐'.repeat(limit + 5), '狐'.repeat(limit)],
      ] as const) {
        await open({ model }).generate({ ...LEONARDO_REQUEST, prompt }, never)
        const { body } = emulator.requests.findLast(({ method }) => method === 'POST') ?? {}
        assert.equal(Object(body).prompt ?? Object(body).parameters.prompt, sent)
      }
    }
  })

  const ORDER_CLASSES: readonly (readonly [LeonardoFault, FailureClass])[] = [
    ['moderation', 'moderation'],
    ['inappropriate', 'moderation'],
    ['moderation_400', 'moderation'],
    ['access_denied', 'credentials'],
    ['authorization_hook', 'credentials'],
    ['forbidden', 'credentials'],
    ['payment_required', 'credentials'],
    ['no_tokens', 'credentials'],
    ['invalid_dimensions', 'mistake'],
    ['unexpected_variable', 'mistake'],
    ['expected_boolean', 'mistake'],
    ['not_found', 'mistake'],
    ['rate_limit', 'throttled'],
    ['rate_limit_silent', 'throttled'],
    ['server_error', 'unknown'],
    ['unavailable', 'unknown'],
    ['bad_gateway_html', 'unknown'],
    ['error_500_cut_off', 'unknown'],
    ['error_401_cut_off', 'credentials'],
    ['error_429_cut_off', 'throttled'],
    ['error_400_cut_off', 'transient'],
    ['redirect', 'transient'],
    ['html', 'unknown'],
    ['empty', 'unknown'],
    ['empty_object', 'unknown'],
    ['no_id', 'unknown'],
    ['odd_id', 'unknown'],
    ['cut_off', 'unknown'],
    ['bad_json', 'unknown'],
    ['reset_before_reading', 'unknown'],
    ['reset_after_reading', 'unknown'],
    ['hang', 'unknown'],
    ['hang_in_body', 'unknown'],
  ]
  for (const [fault, failure] of ORDER_CLASSES) {
    it(`calls ${String(fault)} of an order ${failure}`, async () => {
      emulator.setFault(fault, { path: ORDER })
      const from = String(fault).startsWith('hang') ? open({ timeoutMs: 400 }) : provider
      const error = await fail({ onJob: () => assert.fail('there is no job to keep') }, { from })
      assert.deepEqual([error.failure, error.isJobAlive], [failure, false])
    })
  }

  for (const [status, text, failure] of [
    [403, 'Forbidden', 'credentials'],
    [400, 'Insufficient balance for this generation', 'credentials'],
    [400, `Unexpected variable near ${PROMPT}`, 'mistake'],
    [422, 'width is wrong', 'mistake'],
    [408, 'timeout', 'unknown'],
    [409, 'conflict', 'transient'],
    [418, 'odd', 'transient'],
    [504, 'gateway', 'unknown'],
    [529, 'overloaded', 'unknown'],
  ] as const) {
    it(`calls ${status} "${text.slice(0, 20)}" of an order ${failure}`, async () => {
      emulator.setFault(leonardoError(status, text), { path: ORDER })
      const error = await fail()
      assert.deepEqual([error.failure, error.status], [failure, status])
    })
  }

  it("does not take the client's words for Leonardo's, nor passes them on", async () => {
    const prompt = 'inappropriate content moderation, not enough api tokens'
    const echo = (text: string): LeonardoError => leonardoError(400, `invalid dimensions for '${text}'`)
    for (const text of [prompt, `${prompt.slice(0, 30)}…`]) {
      emulator.setFault(echo(text), { path: ORDER })
      const error = await fail({ prompt })
      assert.equal(error.failure, 'mistake')
      assert.match(error.message, /^Leonardo answered 400: invalid dimensions for '\[prompt\]'?$/)
    }
    emulator.setFault(echo('inappropriate'), { path: ORDER })
    assert.equal((await fail({ prompt: 'inappropriate' })).failure, 'mistake')
    emulator.setFault(leonardoError(500, `key ${LEONARDO_KEY} is bad`), { path: ORDER })
    assert.match((await fail()).message, /key \[key\] is bad/)
  })

  it('tells of a refusal only its category, and of a wait how long', async () => {
    emulator.setFault('moderation', { path: ORDER })
    const refused = await fail()
    assert.deepEqual([refused.reason, refused.message], ['nudity', 'Leonardo answered 403'])
    assert.match(refused.upstreamId ?? '', /^[\w-]{36}$/)
    emulator.setFault('inappropriate', { path: ORDER })
    assert.equal((await fail()).reason, undefined)
    emulator.setFault('rate_limit', { path: ORDER })
    assert.equal((await fail()).retryAfterMs, 7000)
    emulator.setFault('rate_limit_silent', { path: ORDER })
    assert.equal((await fail()).retryAfterMs, undefined)
  })

  it('knows keys that are wrong, and keys that are none', async () => {
    for (const apiKey of [LEONARDO_KEY.replace('6', '7'), 'sk-none']) {
      assert.equal((await fail({}, { from: open({ apiKey }) })).failure, 'credentials')
    }
  })

  it('calls what was never sent transient: no server, no such host', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const address = server.address()
    const port = address !== null && typeof address !== 'string' ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    for (const baseUrl of [`http://127.0.0.1:${port}`, 'http://wombat.invalid']) {
      const error = await fail({}, { from: open({ baseUrl }) })
      assert.deepEqual([error.failure, error.isJobAlive], ['transient', false])
    }
  })

  it('checks for free whether it could serve', async () => {
    const from = emulator.requests.length
    await provider.check()
    emulator.setFault('not_found')
    await provider.check()
    for (const [fault, failure] of [
      ['access_denied', 'credentials'],
      ['authorization_hook', 'credentials'],
      ['forbidden', 'credentials'],
      ['rate_limit', 'throttled'],
      ['server_error', 'transient'],
      ['html', 'transient'],
      ['cut_off', 'transient'],
      ['reset_before_reading', 'transient'],
    ] as const) {
      emulator.setFault(fault)
      await assert.rejects(provider.check(), { name: 'ProviderError', failure }, fault)
    }
    assert.ok(emulator.requests.slice(from).every(({ method, path }) => method === 'GET' && path.endsWith('/v1/me')))
    await provider.close()
  })
})
