import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readRetryAfterMs } from './retry-after.ts'

const NOW = Date.parse('2026-11-22T10:00:00Z')

function read(headers: Record<string, string>, message = ''): number | undefined {
  return readRetryAfterMs(new Headers(headers), message, NOW)
}

describe('readRetryAfterMs', () => {
  it('reads milliseconds, seconds and parts of seconds', () => {
    assert.equal(read({ 'retry-after-ms': '1250' }), 1250)
    assert.equal(read({ 'retry-after-ms': '12.5' }), 13)
    assert.equal(read({ 'retry-after': '12' }), 12_000)
    assert.equal(read({ 'retry-after': ' 0.5 ' }), 500)
    assert.equal(read({ 'retry-after': '0' }), 0)
  })

  it('prefers the finer header', () => {
    assert.equal(read({ 'retry-after-ms': '800', 'retry-after': '1' }), 800)
    assert.equal(read({ 'retry-after-ms': 'soon', 'retry-after': '1' }), 1000)
  })

  it('reads an HTTP date by the clock of the upstream, else by ours', () => {
    assert.equal(read({ 'retry-after': 'Sun, 22 Nov 2026 10:01:30 GMT' }), 90_000)
    assert.equal(
      read({ 'retry-after': 'Sun, 22 Nov 2026 08:01:30 GMT', date: 'Sun, 22 Nov 2026 08:01:00 GMT' }),
      30_000,
    )
    assert.equal(read({ 'retry-after': 'Sun, 22 Nov 2026 09:00:00 GMT' }), 0)
  })

  it('falls back to the words of the message', () => {
    assert.equal(read({}, 'Limit 5, Used 5, Requested 1. Please try again in 12s.'), 12_000)
    assert.equal(read({}, 'Please try again in 120ms. Visit https://x'), 120)
    assert.equal(read({}, 'try again in 1m30s'), 90_000)
    assert.equal(read({}, 'Please try again in 6m0s.'), 360_000)
    assert.equal(read({}, 'Please retry in 1.5 seconds'), 1500)
    assert.equal(read({}, 'Please retry after 20 minutes.'), 1_200_000)
    assert.equal(read({}, 'try again in 1h2m3s'), 3_723_000)
  })

  it('knows nothing when nothing is said, or nonsense', () => {
    assert.equal(read({}), undefined)
    assert.equal(read({ 'retry-after': 'later' }, 'Please try again later.'), undefined)
    assert.equal(read({ 'retry-after': '-3' }, 'You used 12s of audio'), undefined)
  })
})
