import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type FailureClass, ProviderError } from './provider.ts'
import { decideRetry, type FailedAttempt, failureOf, type RetryPolicy } from './retry.ts'

const HOUR_MS = 3_600_000
const POLICY: RetryPolicy = { deadlineMs: 24 * HOUR_MS, maxDelayMs: 300_000, unknownLimit: 2, retryUnknown: true }
const ATTEMPT: FailedAttempt = {
  failure: 'transient',
  attempts: 1,
  unknownAttempts: 0,
  noPictureAttempts: 0,
  isPaid: true,
  ageMs: 0,
  random: () => 0.5,
}

function decide(attempt: Partial<FailedAttempt>, policy: Partial<RetryPolicy> = {}) {
  return decideRetry({ ...ATTEMPT, ...attempt }, { ...POLICY, ...policy })
}

function delay(attempt: Partial<FailedAttempt>, policy: Partial<RetryPolicy> = {}): number {
  const decision = decide(attempt, policy)
  assert.equal(decision.action, 'retry')
  return decision.action === 'retry' ? decision.delayMs : Number.NaN
}

describe('decideRetry', () => {
  for (const [failure, code] of [
    ['moderation', 'moderation_refused'],
    ['bad_reference', 'bad_reference'],
    ['mistake', 'generation_failed'],
  ] as const) {
    it(`fails at once after ${failure}, as ${code}`, () => {
      assert.deepEqual(decide({ failure }), { action: 'fail', code })
      assert.deepEqual(decide({ failure, ageMs: 48 * HOUR_MS }), { action: 'fail', code })
    })
  }

  it('waits from 0 up to a cap that doubles with each counted attempt and ends at five minutes', () => {
    assert.equal(delay({ random: () => 0 }), 0)
    const caps = [1, 2, 3, 8, 9, 50, 5000].map((attempts) => delay({ attempts, random: () => 0.999_999 }))
    assert.deepEqual(caps, [2000, 4000, 8000, 256_000, 300_000, 300_000, 300_000])
  })

  it('retries a transient failure however often, up to the deadline', () => {
    assert.equal(decide({ attempts: 10_000, ageMs: 23 * HOUR_MS }).action, 'retry')
    assert.deepEqual(decide({ ageMs: 24 * HOUR_MS }), { action: 'fail', code: 'generation_deadline' })
  })

  it('never waits beyond the deadline', () => {
    assert.equal(delay({ ageMs: 24 * HOUR_MS - 700, retryAfterMs: 60_000 }), 700)
  })

  it('takes what the upstream asks for as a floor, at most ten minutes, with jitter on top', () => {
    for (const failure of ['throttled', 'transient'] as const) {
      assert.equal(delay({ failure, retryAfterMs: 46_000, random: () => 0 }), 46_000)
      assert.ok(delay({ failure, retryAfterMs: 46_000, random: () => 0.9 }) > 50_000)
      assert.equal(delay({ failure, retryAfterMs: 35_637_000, random: () => 0 }), 600_000)
      assert.ok(delay({ failure, retryAfterMs: -5, random: () => 0 }) >= 0)
    }
  })

  it('counts transient and unknown attempts, and neither throttled nor credentials', () => {
    const counted = (failure: FailureClass) => {
      const decision = decide({ failure, unknownAttempts: 1 })
      return decision.action === 'retry' && decision.counts
    }
    assert.deepEqual(
      ['transient', 'unknown', 'throttled', 'credentials'].map((it) => counted(it as FailureClass)),
      [true, true, false, false],
    )
  })

  it('leaves an upstream that says slow down alone for seconds, even if it does not say how long', () => {
    assert.ok(delay({ failure: 'throttled', attempts: 0, random: () => 0 }) >= 5000)
  })

  it('lets credentials wait for minutes and never fails them before the deadline', () => {
    assert.equal(delay({ failure: 'credentials', attempts: 0, random: () => 0 }), 150_000)
    assert.equal(delay({ failure: 'credentials', attempts: 999, random: () => 1 }), 300_000)
    assert.deepEqual(decide({ failure: 'credentials', ageMs: 25 * HOUR_MS }), {
      action: 'fail',
      code: 'generation_deadline',
    })
  })

  it('repeats a paid call with unclear outcome at most as often as the limit says', () => {
    const actions = [1, 2, 3].map((unknownAttempts) => decide({ failure: 'unknown', unknownAttempts }).action)
    assert.deepEqual(actions, ['retry', 'retry', 'fail'])
    assert.deepEqual(decide({ failure: 'unknown', unknownAttempts: 3 }), { action: 'fail', code: 'generation_failed' })
    assert.equal(decide({ failure: 'unknown', unknownAttempts: 1 }, { unknownLimit: 0 }).action, 'fail')
    assert.equal(decide({ failure: 'unknown', unknownAttempts: 1 }, { retryUnknown: false }).action, 'fail')
  })

  it('repeats an unpaid call with unclear outcome up to the deadline', () => {
    assert.equal(
      decide({ failure: 'unknown', unknownAttempts: 99, isPaid: false }, { retryUnknown: false }).action,
      'retry',
    )
  })
})

describe('failureOf', () => {
  it('takes the class of a ProviderError and calls everything else transient', () => {
    assert.equal(failureOf(new ProviderError('throttled', 'slow')), 'throttled')
    assert.equal(failureOf(new TypeError('terminated')), 'transient')
    assert.equal(failureOf('text'), 'transient')
  })
})
