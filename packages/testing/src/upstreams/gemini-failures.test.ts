import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { createCanvas } from '@napi-rs/canvas'
import {
  createGeminiProvider,
  type FailureClass,
  type ImageProvider,
  ProviderError,
  type ProviderRequest,
} from '@wombat/generation'
import { type GeminiEmulator, startGeminiEmulator } from './gemini-emulator.ts'
import { geminiError } from './gemini-error.ts'
import type { GeminiFault } from './gemini-faults.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const KEY = 'AIza-emulated-0123456789'
const REQUEST: ProviderRequest = {
  ...PROVIDER_REQUEST,
  model: 'nano-banana-2',
  quality: 'standard',
  width: 1344,
  height: 768,
}
const HOUR_MS = 3_600_000
const never = new AbortController().signal
const reference = { bytes: createCanvas(32, 32).toBuffer('image/png'), contentType: 'image/png' as const }

describe('failures of the Gemini provider', () => {
  let emulator: GeminiEmulator
  let provider: ImageProvider
  before(async () => {
    emulator = await startGeminiEmulator({ keys: [KEY] })
    provider = createGeminiProvider({ apiKey: KEY, baseUrl: emulator.origin, timeoutMs: 1500 })
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
    assert.ok(!outcome.message.includes(change.prompt ?? REQUEST.prompt), outcome.message)
    assert.equal(outcome.isJobAlive, false)
    return outcome
  }

  const CLASSES: readonly (readonly [GeminiFault, FailureClass])[] = [
    ['invalid_argument', 'mistake'],
    ['precondition', 'mistake'],
    ['not_found', 'mistake'],
    ['input_image', 'mistake'],
    ['api_key_invalid', 'credentials'],
    ['api_key_expired', 'credentials'],
    ['unauthenticated', 'credentials'],
    ['permission_denied', 'credentials'],
    ['billing', 'credentials'],
    ['location', 'credentials'],
    ['credits_depleted', 'credentials'],
    ['rate_limit', 'throttled'],
    ['rate_limit_bare', 'throttled'],
    ['per_day', 'throttled'],
    ['internal', 'transient'],
    ['unavailable', 'transient'],
    ['deadline', 'transient'],
    ['bad_gateway_html', 'transient'],
    ['not_found_html', 'transient'],
    ['draft_only', 'no_picture'],
    ['html', 'unknown'],
    ['empty', 'unknown'],
    ['empty_object', 'unknown'],
    ['empty_candidates', 'unknown'],
    ['empty_data', 'unknown'],
    ['cut_off', 'unknown'],
    ['bad_json', 'unknown'],
    ['not_a_picture', 'unknown'],
    ['reset_before_reading', 'unknown'],
    ['reset_after_reading', 'unknown'],
    ['hang', 'unknown'],
    ['hang_in_body', 'unknown'],
    [{ blockReason: '' }, 'unknown'],
    [{ blockReason: 'BLOCK_REASON_UNSPECIFIED' }, 'unknown'],
    [{ finishReason: 'SOMETHING_NEW', content: 'empty' }, 'unknown'],
    [{ finishReason: 'SOMETHING_NEW', content: 'text' }, 'no_picture'],
  ]
  for (const [fault, failure] of CLASSES) {
    it(`calls ${typeof fault === 'string' ? fault : JSON.stringify(fault)} ${failure}`, async () => {
      emulator.setFault(fault)
      assert.equal((await fail()).failure, failure)
    })
  }

  for (const blockReason of ['SAFETY', 'OTHER', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'IMAGE_SAFETY']) {
    it(`calls a prompt that is blocked for ${blockReason} moderation`, async () => {
      emulator.setFault({ blockReason })
      const { failure, reason, status, upstreamId } = await fail()
      assert.deepEqual([failure, reason, status], ['moderation', blockReason.toLowerCase(), 200])
      assert.match(upstreamId ?? '', /^[\w-]{22}$/)
    })
  }

  it('names no reason that could not be one', async () => {
    for (const blockReason of ['7', 'X'.repeat(41), 'SAFETY\n<b>']) {
      emulator.setFault({ blockReason })
      const { failure, reason } = await fail()
      assert.deepEqual([failure, reason], ['moderation', undefined])
    }
  })

  for (const finishReason of [
    'IMAGE_SAFETY',
    'IMAGE_PROHIBITED_CONTENT',
    'IMAGE_RECITATION',
    'PROHIBITED_CONTENT',
    'SAFETY',
    'RECITATION',
    'BLOCKLIST',
    'SPII',
    'LANGUAGE',
  ]) {
    it(`calls a picture that ends with ${finishReason} moderation`, async () => {
      for (const content of ['empty', 'null', 'text'] as const) {
        emulator.setFault({ finishReason, content })
        const { failure, reason } = await fail()
        assert.deepEqual([failure, reason], ['moderation', finishReason.toLowerCase()])
      }
    })
  }

  it('calls an answer in good order without a picture no_picture', async () => {
    for (const finishReason of ['NO_IMAGE', 'IMAGE_OTHER', 'OTHER', 'MAX_TOKENS', 'STOP']) {
      for (const content of ['empty', 'null', 'text'] as const) {
        emulator.setFault({ finishReason, content })
        const { failure, reason } = await fail()
        assert.deepEqual([failure, reason], ['no_picture', undefined])
      }
    }
  })

  it('blames a reference only when one was sent', async () => {
    for (const fault of ['input_image', 'image_not_valid'] as const) {
      emulator.setFault(fault)
      assert.equal((await fail({ references: [reference] })).failure, 'bad_reference')
      assert.equal((await fail()).failure, 'mistake')
    }
    emulator.setFault('invalid_argument')
    assert.equal((await fail({ references: [reference] })).failure, 'mistake')
  })

  for (const status of [402, 405, 408, 409, 413, 415, 418, 425, 499, 502, 529]) {
    it(`is sure of nothing final at ${status} unless the status says so`, async () => {
      emulator.setFault(geminiError(status, 'odd'))
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
      ['rate_limit', 46_000],
      ['rate_limit_fraction', 500],
      ['rate_limit_object', 30_500],
      ['rate_limit_header', 7000],
      ['rate_limit_words', 12_500],
      ['rate_limit_bare', undefined],
      ['invalid_argument', undefined],
    ] as const) {
      emulator.setFault(fault)
      const { retryAfterMs, parkMs } = await fail()
      assert.deepEqual([retryAfterMs, parkMs], [waitMs, undefined], fault)
    }
  })

  it('parks when the quota of the day is used up', async () => {
    emulator.setFault('per_day')
    assert.equal((await fail()).parkMs, 35_637_000)
    emulator.setFault('per_day_short')
    const { parkMs = 0 } = await fail()
    assert.ok(parkMs > 0 && parkMs <= 25 * HOUR_MS, String(parkMs))
    // Midnight in California is at a full hour everywhere.
    assert.ok((Date.now() + parkMs) % HOUR_MS < 60_000)
  })

  it('names status and words, and neither key nor prompt', async () => {
    emulator.setFault('unavailable')
    const error = await fail()
    assert.equal(error.status, 503)
    assert.equal(error.message, 'Gemini answered 503 UNAVAILABLE: The model is overloaded. Please try again later.')
    emulator.setFault(geminiError(400, `Invalid value at 'contents' (TYPE_STRING), "a red fox" for ${KEY}`))
    assert.match((await fail()).message, /"\[prompt\]" for \[key\]$/)
  })

  it('knows a wrong key, and a prompt that is refused for its content', async () => {
    const wrong = createGeminiProvider({ apiKey: 'AIza-wrong', baseUrl: emulator.origin })
    await assert.rejects(wrong.generate(REQUEST, never), { failure: 'credentials', status: 400 })
    const { failure, reason } = await fail({ prompt: 'a #moderation fox' })
    assert.deepEqual([failure, reason], ['moderation', 'prohibited_content'])
  })

  it('calls what was never sent transient: no server, no such host', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const address = server.address()
    const port = address !== null && typeof address !== 'string' ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    for (const baseUrl of [`http://127.0.0.1:${port}`, 'http://wombat.invalid']) {
      const nowhere = createGeminiProvider({ apiKey: KEY, baseUrl })
      await assert.rejects(nowhere.generate(REQUEST, never), { name: 'ProviderError', failure: 'transient' })
      await assert.rejects(nowhere.check(), { name: 'ProviderError', failure: 'transient' })
    }
  })

  it('ends promptly as unknown when called off after sending, and as transient before', async () => {
    emulator.setLatency(5000)
    const startedAt = performance.now()
    const { failure, message } = await fail({}, AbortSignal.timeout(100))
    assert.deepEqual([failure, message], ['unknown', 'called off after it was sent to Gemini'])
    assert.ok(performance.now() - startedAt < 2500)
    const sentBefore = emulator.requests.length
    assert.equal((await fail({}, AbortSignal.abort())).failure, 'transient')
    assert.equal(emulator.requests.length, sentBefore)
  })

  it('gives up after its time', async () => {
    emulator.setLatency(5000)
    const error = await fail()
    assert.equal(error.failure, 'unknown')
    assert.match(error.message, /did not answer within 1500 ms/)
  })
})
