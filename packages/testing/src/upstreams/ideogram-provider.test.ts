import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import {
  createIdeogramProvider,
  type FailureClass,
  type ImageProvider,
  ProviderError,
  type ProviderRequest,
} from '@wombat/generation'
import { type IdeogramEmulator, startIdeogramEmulator } from './ideogram-emulator.ts'
import { problem } from './ideogram-error.ts'
import type { IdeogramFault } from './ideogram-faults.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const KEY = 'ideogram-emulated-0123456789'
const REQUEST: ProviderRequest = {
  ...PROVIDER_REQUEST,
  model: 'ideogram-3.0',
  quality: 'turbo',
  width: 1344,
  height: 768,
}
const never = new AbortController().signal

describe('the Ideogram provider', () => {
  let emulator: IdeogramEmulator
  let provider: ImageProvider
  let hasty: ImageProvider
  before(async () => {
    emulator = await startIdeogramEmulator({ keys: [KEY] })
    const options = { apiKey: KEY, baseUrl: emulator.url, allowPrivateLinks: true }
    provider = createIdeogramProvider(options)
    hasty = createIdeogramProvider({ ...options, timeoutMs: 400 })
  })
  afterEach(() => {
    emulator.setFault(undefined)
    emulator.setLatency(0)
  })
  after(() => emulator.close())

  const fail = async (
    change: Partial<ProviderRequest> = {},
    { signal = never, by = provider }: { signal?: AbortSignal; by?: ImageProvider } = {},
  ): Promise<ProviderError> => {
    const sentBefore = emulator.requests.length
    const request = { ...REQUEST, onJob: () => assert.fail('there was nothing to keep'), ...change }
    const outcome = await by.generate(request, signal).then(
      () => assert.fail('a picture came'),
      (error: unknown) => error,
    )
    assert.ok(outcome instanceof ProviderError, String(outcome))
    assert.ok(emulator.requests.length - sentBefore <= 1, 'one call is at most one request')
    assert.ok(outcome.message.length < 260 && !outcome.message.includes(KEY), outcome.message)
    assert.ok(!outcome.message.includes(request.prompt), outcome.message)
    assert.equal(outcome.isJobAlive, false)
    return outcome
  }

  it('asks for one picture in the words of the API and hands over its bytes and cost', async () => {
    const image = await provider.generate(REQUEST, never)
    const [sent, loaded] = emulator.requests.slice(-2)
    assert.deepEqual(sent?.body, {
      prompt: 'a red fox',
      resolution: '1344x768',
      rendering_speed: 'TURBO',
      magic_prompt: 'OFF',
      style_type: 'GENERAL',
      num_images: '1',
    })
    assert.deepEqual([sent?.method, sent?.path, sent?.files], ['POST', '/v1/ideogram-v3/generate', []])
    assert.equal(sent?.headers['api-key'], KEY)
    assert.match(sent?.headers['content-type'] ?? '', /^multipart\/form-data; boundary=/)
    assert.equal(loaded?.headers['api-key'], undefined)
    assert.ok(!JSON.stringify(loaded?.headers).includes(KEY), 'the key stays with the API')
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1344, 768])
    assert.equal(`/api/images/ephemeral/${image.upstreamId}.png`, loaded?.path)
    assert.equal(image.costMicroUsd, 30_000)
  })

  it('takes a base URL that ends in a slash, and prompts of every kind as they are', async () => {
    const slashed = createIdeogramProvider({ apiKey: KEY, baseUrl: `${emulator.url}/`, allowPrivateLinks: true })
    const prompt = 'Füchse "im" Schnee 🦊; name="x"\r\n--boundary'
    await slashed.generate({ ...REQUEST, prompt }, never)
    assert.equal(Object(emulator.requests.at(-2)?.body).prompt, prompt)
  })

  for (const [size, resolution] of [
    ['1024x1024', '1024x1024'],
    ['1152x896', '1152x896'],
    ['1216x832', '1216x832'],
    ['1344x768', '1344x768'],
    ['1536x640', '1536x640'],
    ['640x1536', '640x1536'],
    ['768x1344', '768x1344'],
    ['832x1216', '832x1216'],
    ['896x1152', '896x1152'],
    ['1792x1008', '1312x736'],
    ['1008x1792', '736x1312'],
    ['512x512', '1024x1024'],
    ['1536x1024', '1248x832'],
    ['100x200', '704x1408'],
    ['4000x100', '1536x512'],
  ] as const) {
    it(`asks for ${resolution} to make ${size}`, async () => {
      const [width = 0, height = 0] = size.split('x').map(Number)
      const { bytes } = await provider.generate({ ...REQUEST, width, height }, never)
      assert.equal(Object(emulator.requests.at(-2)?.body).resolution, resolution)
      const picture = await loadImage(bytes)
      assert.equal(`${picture.width}x${picture.height}`, resolution)
    })
  }

  const CLASSES: readonly (readonly [IdeogramFault, FailureClass])[] = [
    ['moderation', 'moderation'],
    ['moderation_empty', 'moderation'],
    ['unsafe_null', 'moderation'],
    ['unsafe_empty', 'moderation'],
    ['validation', 'mistake'],
    ['invalid', 'mistake'],
    ['unsupported_media_type', 'mistake'],
    ['not_found', 'mistake'],
    ['unauthorized', 'credentials'],
    ['payment_required', 'credentials'],
    ['forbidden', 'credentials'],
    ['rate_limit', 'throttled'],
    ['request_timeout', 'transient'],
    ['server_error', 'transient'],
    ['overloaded', 'transient'],
    ['bad_gateway_html', 'transient'],
    ['html', 'unknown'],
    ['empty', 'unknown'],
    ['empty_object', 'unknown'],
    ['no_picture', 'unknown'],
    ['no_link', 'unknown'],
    ['cut_off', 'unknown'],
    ['bad_json', 'unknown'],
    ['reset_before_reading', 'unknown'],
    ['reset_after_reading', 'unknown'],
  ]
  for (const [fault, failure] of CLASSES) {
    it(`calls ${String(fault)} ${failure}`, async () => {
      emulator.setFault(fault)
      assert.equal((await fail()).failure, failure)
    })
  }

  for (const fault of ['hang', 'hang_in_body'] as const) {
    it(`gives up after its time at ${fault}, and does not know the outcome`, async () => {
      emulator.setFault(fault)
      const error = await fail({}, { by: hasty })
      assert.equal(error.failure, 'unknown')
      assert.match(error.message, /Ideogram did not answer within 400 ms/)
    })
  }

  for (const status of [302, 405, 409, 413, 418, 425, 451, 504, 529]) {
    it(`is sure of nothing final at ${status} unless the status says so`, async () => {
      emulator.setFault({ status, error: 'odd' })
      assert.equal((await fail()).failure, [405, 413].includes(status) ? 'mistake' : 'transient')
    })
  }

  it('tells a refusal for content from a complaint of a field, in every form of 422', async () => {
    for (const [error, failure] of [
      [{ error: 'Image provided failed safety check.' }, 'moderation'],
      [{ detail: 'The prompt has prohibited content' }, 'moderation'],
      [{ error: { message: 'Blocked by content moderation' } }, 'moderation'],
      [Buffer.from('Inappropriate content'), 'moderation'],
      [{ error: 'num_images must be at most 8' }, 'mistake'],
      [{ detail: [{ msg: 'field required', loc: ['body', 'prompt'] }] }, 'mistake'],
      [Buffer.from('<html>Unprocessable</html>'), 'mistake'],
    ] as const) {
      emulator.setFault({ status: 422, error })
      const outcome = await fail()
      assert.deepEqual([outcome.failure, outcome.status, outcome.reason], [failure, 422, undefined])
    }
    emulator.setFault(undefined)
    assert.equal((await fail({ prompt: 'a #moderation fox' })).failure, 'moderation')
  })

  it('reads how long to wait in every form', async () => {
    for (const [fault, waitMs] of [
      ['rate_limit', undefined],
      ['rate_limit_ms', 12_000],
      ['rate_limit_seconds', 46_000],
      ['rate_limit_date', 90_000],
      ['rate_limit_words', 90_000],
      ['overloaded', 3000],
      ['moderation', undefined],
    ] as const) {
      emulator.setFault(fault)
      assert.equal((await fail()).retryAfterMs, waitMs, fault)
    }
  })

  it('says what the upstream said, shortened, and neither key nor prompt', async () => {
    const prompt = 'a very red fox that "jumps" over\nthe lazy dog'
    for (const [error, message] of [
      [problem(400, 'Bad', `'${prompt}' is too long - 'prompt'`), "Ideogram answered 400: '[prompt]"],
      [{ status: 400, error: { detail: [{ input: prompt, msg: 'bad' }] } }, /^Ideogram answered 400: .*\[prompt\]$/],
      [{ status: 400, error: { error: `${prompt.slice(0, 30)}...` } }, 'Ideogram answered 400: [prompt]'],
      [
        { status: 401, error: { error: `The key ${KEY} is unknown` } },
        'Ideogram answered 401: The key [key] is unknown',
      ],
      [{ status: 500, error: 'down\n\n for   now' }, 'Ideogram answered 500: down for now'],
      [{ status: 500, error: { error: 'x'.repeat(5000) } }, /^Ideogram answered 500: x{159}…$/],
      [{ status: 502, error: Buffer.from(' <html>Bad gateway') }, 'Ideogram answered 502'],
    ] as const) {
      emulator.setFault(error)
      const found = (await fail({ prompt })).message
      if (typeof message === 'string') {
        assert.equal(found, message)
      } else {
        assert.match(found, message)
      }
    }
  })

  it('calls what was never sent transient: no server', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const address = server.address()
    const port = address !== null && typeof address !== 'string' ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    const nowhere = createIdeogramProvider({ apiKey: KEY, baseUrl: `http://127.0.0.1:${port}` })
    await assert.rejects(nowhere.generate(REQUEST, never), { name: 'ProviderError', failure: 'transient' })
    await assert.rejects(nowhere.check(), { name: 'ProviderError', failure: 'transient' })
  })

  it('ends promptly as unknown when called off after sending, and as transient before', async () => {
    emulator.setLatency(5000)
    const startedAt = performance.now()
    assert.equal((await fail({}, { signal: AbortSignal.timeout(100) })).failure, 'unknown')
    assert.ok(performance.now() - startedAt < 2500)
    const sentBefore = emulator.requests.length
    assert.equal((await fail({}, { signal: AbortSignal.abort() })).failure, 'transient')
    assert.equal(emulator.requests.length, sentBefore)
  })

  it('checks for free whether it could serve', async () => {
    await provider.check()
    const sent = emulator.requests.at(-1)
    assert.deepEqual([sent?.status, sent?.pictures], [400, 0])
    assert.equal(Object(sent?.body).prompt, undefined)
    const wrong = createIdeogramProvider({ apiKey: 'wrong', baseUrl: emulator.url })
    await assert.rejects(wrong.check(), { failure: 'credentials', status: 401 })
    await assert.rejects(wrong.generate(REQUEST, never), { failure: 'credentials' })
    for (const [fault, failure] of [
      ['html', 'mistake'],
      ['not_found', 'mistake'],
      ['payment_required', 'credentials'],
      ['rate_limit', 'throttled'],
      ['server_error', 'transient'],
      ['reset_after_reading', 'transient'],
    ] as const) {
      emulator.setFault(fault)
      await assert.rejects(provider.check(), { name: 'ProviderError', failure }, fault)
    }
  })
})
