import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classifyGeminiError } from './gemini-errors.ts'
import type { ProviderError } from './provider.ts'

const NOW_MS = Date.parse('2026-11-22T10:00:00Z')
const TO_MIDNIGHT_MS = 22 * 3_600_000

function classify(
  status: number,
  json: unknown,
  { headers = {}, hasReferences = true }: { headers?: Record<string, string>; hasReferences?: boolean } = {},
): ProviderError {
  const answer = { status, headers: new Headers(headers), json, text: '' }
  return classifyGeminiError(answer, { apiKey: 'AIza-key', prompt: 'a red fox', hasReferences, nowMs: NOW_MS })
}

function tooMany(retryDelay: unknown, quotaId = 'GenerateRequestsPerMinutePerProjectPerModel'): unknown {
  const details = [{ violations: [{ quotaId: 'Other' }, { quotaId }] }, { retryDelay }]
  return { error: { code: 429, message: 'Please retry in 3s.', status: 'RESOURCE_EXHAUSTED', details } }
}

describe('errors of Gemini', () => {
  it('are waited for as RetryInfo says, in any of its forms, before headers and words', () => {
    for (const [delay, waitMs] of [
      ['46s', 46_000],
      ['0.5s', 500],
      ['46.894320181s', 46_895],
      ['35637s', 35_637_000],
      [{ seconds: 46 }, 46_000],
      [{ seconds: '2', nanos: 500_000_000 }, 2500],
      [{ nanos: 250_000_000 }, 250],
    ] as const) {
      const error = classify(429, tooMany(delay), { headers: { 'retry-after': '7' } })
      assert.deepEqual([error.failure, error.retryAfterMs, error.parkMs], ['throttled', waitMs, undefined])
    }
  })

  it('are waited for as headers say, then as words say, when RetryInfo is of no use', () => {
    for (const delay of [undefined, null, '', 's', '-4s', '0s', '46', 'soon', '1e3s', 46, {}, { seconds: 'x' }, []]) {
      assert.equal(
        classify(429, tooMany(delay), { headers: { 'retry-after': '7' } }).retryAfterMs,
        7000,
        JSON.stringify(delay),
      )
      assert.equal(classify(429, tooMany(delay)).retryAfterMs, 3000, JSON.stringify(delay))
    }
  })

  it('of a quota of the day park until midnight in California, or longer delays than an hour', () => {
    const perDay = 'GenerateRequestsPerDayPerProjectPerModel-FreeTier'
    for (const [delay, parkMs] of [
      ['17s', TO_MIDNIGHT_MS],
      ['3600s', TO_MIDNIGHT_MS],
      [undefined, TO_MIDNIGHT_MS],
      ['3601s', 3_601_000],
      ['35637s', 35_637_000],
    ] as const) {
      const error = classify(429, tooMany(delay, perDay))
      assert.deepEqual([error.failure, error.parkMs], ['throttled', parkMs], delay)
    }
  })

  it('are read in their streaming form, and without any form at all', () => {
    const streamed = classify(429, [tooMany('46s')])
    assert.deepEqual([streamed.failure, streamed.retryAfterMs], ['throttled', 46_000])
    for (const json of [undefined, null, 7, 'text', [], {}, { error: 'text' }, { error: { details: 'text' } }]) {
      assert.equal(classify(429, json).failure, 'throttled')
      assert.equal(classify(503, json).failure, 'transient')
      assert.equal(classify(403, json).failure, 'credentials')
    }
    for (const details of [[null], ['text'], [{ violations: null }], [{ violations: [null] }], [{ reason: 7 }]]) {
      assert.equal(classify(400, { error: { details } }).failure, 'mistake')
      assert.equal(classify(429, { error: { details } }).parkMs, undefined)
    }
  })

  it('are our mistake only in the form of Google, or when the request is too large', () => {
    assert.equal(classify(404, { error: { code: 404, status: 'NOT_FOUND', message: 'gone' } }).failure, 'mistake')
    assert.equal(classify(404, undefined).failure, 'transient')
    assert.equal(classify(400, undefined).failure, 'transient')
    assert.equal(classify(413, undefined, { hasReferences: false }).failure, 'mistake')
    assert.equal(classify(302, undefined).failure, 'transient')
  })

  it('are for the references what is unreadable or too large, if there are any', () => {
    const told = (message: string): unknown => ({ error: { code: 400, message, status: 'INVALID_ARGUMENT' } })
    for (const [status, json] of [
      [400, told('Unable to process input image. Please retry or report in https://x')],
      [400, told('Provided image is not valid.')],
      [400, told('Request payload size exceeds the limit: 104857600 bytes.')],
      [413, undefined],
    ] as const) {
      assert.equal(classify(status, json).failure, 'bad_reference')
      assert.equal(classify(status, json, { hasReferences: false }).failure, 'mistake')
    }
    assert.equal(classify(400, told('Unsupported MIME type: image/jpg')).failure, 'mistake')
  })

  it('show neither key nor prompt', () => {
    const message = `Consumer 'api_key:AIza-key' sent "a red fox" to 'contents[0]'`
    const error = classify(403, { error: { message, status: 'PERMISSION_DENIED' } })
    assert.equal(
      error.message,
      `Gemini answered 403 PERMISSION_DENIED: Consumer 'api_key:[key]' sent "[prompt]" to 'contents[0]'`,
    )
  })
})
