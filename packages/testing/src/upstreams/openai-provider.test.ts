import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import {
  createOpenAiProvider,
  type FailureClass,
  type ImageProvider,
  ProviderError,
  type ProviderRequest,
} from '@wombat/generation'
import { type OpenAiEmulator, startOpenAiEmulator } from './openai-emulator.ts'
import type { OpenAiFault } from './openai-faults.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const KEY = 'sk-emulated-0123456789'
const REQUEST = PROVIDER_REQUEST
const never = new AbortController().signal

describe('the OpenAI provider', () => {
  let emulator: OpenAiEmulator
  let provider: ImageProvider
  before(async () => {
    emulator = await startOpenAiEmulator({ keys: [KEY] })
    provider = createOpenAiProvider({ apiKey: KEY, baseUrl: emulator.url, timeoutMs: { fast: 1500 } })
  })
  afterEach(() => {
    emulator.setFault(undefined)
    emulator.setLatency(0)
  })
  after(() => emulator.close())

  const fail = async (change: Partial<ProviderRequest> = {}, signal = never): Promise<ProviderError> => {
    const sentBefore = emulator.requests.length
    const outcome = await provider.generate({ ...REQUEST, ...change }, signal).then(
      () => assert.fail('a picture came'),
      (error: unknown) => error,
    )
    assert.ok(outcome instanceof ProviderError, String(outcome))
    assert.ok(emulator.requests.length - sentBefore <= 1, 'one call is at most one request')
    assert.ok(outcome.message.length < 260 && !outcome.message.includes(KEY), outcome.message)
    return outcome
  }

  it('asks for one picture in the words of the API and hands over its bytes, usage and cost', async () => {
    const image = await provider.generate(REQUEST, never)
    const sent = emulator.requests.at(-1)
    assert.deepEqual(sent?.body, {
      model: 'gpt-image-2',
      prompt: 'a red fox',
      size: '1536x1024',
      quality: 'low',
      n: 1,
      output_format: 'jpeg',
      moderation: 'auto',
      user: 'user-hash',
    })
    assert.equal(sent?.path, '/v1/images/generations')
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1536, 1024])
    assert.match(image.upstreamId ?? '', /^req_/)
    assert.deepEqual(image.usage, { input_tokens: 3, text_tokens: 3, image_tokens: 0, output_tokens: 153 })
    assert.equal(image.costMicroUsd, 3 * 5 + 153 * 30)
  })

  it('asks for PNG when the original is to be preserved', async () => {
    const { bytes } = await provider.generate({ ...REQUEST, isOriginalPreserved: true, quality: 'medium' }, never)
    assert.equal(bytes.toString('latin1', 1, 4), 'PNG')
  })

  it('sends references as an edit, each with its type', async () => {
    const bytes = createCanvas(32, 32).toBuffer('image/png')
    for (const count of [1, 3]) {
      const references = Array.from({ length: count }, () => ({ bytes, contentType: 'image/png' as const }))
      const image = await provider.generate({ ...REQUEST, references }, never)
      const sent = emulator.requests.at(-1)
      assert.equal(sent?.path, '/v1/images/edits')
      assert.deepEqual(
        sent?.files?.map(({ contentType }) => contentType),
        Array.from({ length: count }, () => 'image/png'),
      )
      assert.equal(image.costMicroUsd, 3 * 5 + count * 1024 * 8 + 153 * 30)
    }
  })

  const CLASSES: readonly (readonly [OpenAiFault, FailureClass])[] = [
    ['moderation', 'moderation'],
    ['invalid_value', 'mistake'],
    ['model_not_found', 'mistake'],
    ['unprocessable', 'mistake'],
    ['invalid_image', 'bad_reference'],
    ['invalid_api_key', 'credentials'],
    ['unverified', 'credentials'],
    ['insufficient_quota', 'credentials'],
    ['credit_balance_exhausted', 'credentials'],
    ['organization_spend_limit_exceeded', 'credentials'],
    ['project_spend_limit_exceeded', 'credentials'],
    ['organization_usage_limit_exceeded', 'credentials'],
    ['billing_hard_limit_reached', 'credentials'],
    ['rate_limit', 'throttled'],
    ['slow_down', 'throttled'],
    ['slow_down_503', 'throttled'],
    ['request_timeout', 'transient'],
    ['conflict', 'transient'],
    ['server_error', 'transient'],
    ['overloaded', 'transient'],
    ['bad_gateway_html', 'transient'],
    ['html', 'unknown'],
    ['empty', 'unknown'],
    ['empty_object', 'unknown'],
    ['no_picture', 'unknown'],
    ['cut_off', 'unknown'],
    ['bad_json', 'unknown'],
    ['not_a_picture', 'unknown'],
    ['reset_before_reading', 'unknown'],
    ['reset_after_reading', 'unknown'],
    ['hang', 'unknown'],
    ['hang_in_body', 'unknown'],
  ]
  for (const [fault, failure] of CLASSES) {
    it(`calls ${String(fault)} ${failure}`, async () => {
      emulator.setFault(fault)
      assert.equal((await fail()).failure, failure)
    })
  }

  for (const status of [402, 405, 413, 415, 418, 425, 504, 529]) {
    it(`is sure of nothing final at ${status} unless the status says so`, async () => {
      emulator.setFault({ status, error: { message: 'odd', type: 'odd', param: null, code: null } })
      const expected = status === 402 ? 'credentials' : [405, 413, 415].includes(status) ? 'mistake' : 'transient'
      assert.equal((await fail()).failure, expected)
    })
  }

  it('hands pictures on that only a decoder can refuse', async () => {
    for (const fault of ['corrupt_picture', 'wrong_size'] as const) {
      emulator.setFault(fault)
      assert.ok((await provider.generate(REQUEST, never)).bytes.length > 100)
    }
  })

  it('reads how long to wait in every form', async () => {
    for (const [fault, waitMs] of [
      ['rate_limit', 12_000],
      ['rate_limit_seconds', 46_000],
      ['rate_limit_date', 90_000],
      ['rate_limit_words', 12_000],
      ['slow_down', undefined],
      ['overloaded', 3000],
      ['moderation', undefined],
    ] as const) {
      emulator.setFault(fault)
      assert.equal((await fail()).retryAfterMs, waitMs, fault)
    }
  })

  it('names status, code and request, and neither keys nor organisations', async () => {
    emulator.setFault('invalid_api_key')
    const error = await fail()
    assert.equal(error.status, 401)
    assert.match(error.upstreamId ?? '', /^req_/)
    assert.match(error.message, /^OpenAI answered 401 invalid_api_key: Incorrect API key provided: sk-\[…\]/)
    emulator.setFault('rate_limit')
    assert.doesNotMatch((await fail()).message, /org-emulated/)
  })

  it('knows a wrong key, and a prompt that is refused for its content', async () => {
    const wrong = createOpenAiProvider({ apiKey: 'sk-wrong', baseUrl: emulator.url })
    await assert.rejects(wrong.generate(REQUEST, never), { failure: 'credentials' })
    const refused = await fail({ prompt: 'a #moderation fox' })
    assert.deepEqual([refused.failure, refused.reason], ['moderation', 'sexual'])
  })

  it('calls what was never sent transient: no server, no such host', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const address = server.address()
    const port = address !== null && typeof address !== 'string' ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    for (const baseUrl of [`http://127.0.0.1:${port}/v1`, 'http://wombat.invalid/v1']) {
      const nowhere = createOpenAiProvider({ apiKey: KEY, baseUrl })
      await assert.rejects(nowhere.generate(REQUEST, never), { name: 'ProviderError', failure: 'transient' })
    }
  })

  it('ends promptly as unknown when called off after sending, and as transient before', async () => {
    emulator.setLatency(5000)
    const startedAt = performance.now()
    assert.equal((await fail({}, AbortSignal.timeout(100))).failure, 'unknown')
    assert.ok(performance.now() - startedAt < 2500)
    assert.equal((await fail({}, AbortSignal.abort())).failure, 'transient')
  })

  it('gives up after the time of its quality', async () => {
    emulator.setLatency(5000)
    const error = await fail()
    assert.equal(error.failure, 'unknown')
    assert.match(error.message, /did not answer within 1500 ms/)
  })

  it('checks for free whether it could serve', async () => {
    await provider.check()
    const retired = createOpenAiProvider({ apiKey: KEY, baseUrl: emulator.url, model: 'gpt-image-1' })
    await assert.rejects(retired.check(), { failure: 'mistake' })
    await assert.rejects(createOpenAiProvider({ apiKey: 'sk-wrong', baseUrl: emulator.url }).check(), {
      failure: 'credentials',
    })
  })

  it('counts a cost only for the model whose prices it knows', async () => {
    await using other = await startOpenAiEmulator({ imageModels: ['gpt-image-3'] })
    const newer = createOpenAiProvider({ apiKey: KEY, baseUrl: other.url, model: 'gpt-image-3' })
    const image = await newer.generate(REQUEST, never)
    assert.equal(image.costMicroUsd, undefined)
    assert.equal(image.usage?.output_tokens, 153)
  })
})
