import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classifyLeonardoRefusal, toReason } from './leonardo-errors.ts'

const refuse = (status: number, body: unknown) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const json = typeof body === 'string' ? undefined : body
  return classifyLeonardoRefusal({ status, headers: new Headers(), json, text }, { apiKey: 'the-key', prompt: 'fox' })
}

describe('refusals of Leonardo', () => {
  it('are read in every form that APIs of its kind have', () => {
    const words = 'content moderation filter: nudity'
    for (const body of [
      { error: words, path: '$', code: 'unexpected' },
      { error: { message: words } },
      { message: words },
      { errors: [{ message: words }] },
      [{ message: words, extensions: { code: 'x' } }],
      words,
    ]) {
      const { failure, reason } = refuse(403, body)
      assert.deepEqual([failure, reason], ['moderation', 'nudity'], JSON.stringify(body))
    }
  })

  it('are not what a page says', () => {
    assert.equal(refuse(403, '<html>inappropriate content moderation</html>').failure, 'credentials')
    assert.equal(refuse(403, null).failure, 'credentials')
    assert.equal(refuse(403, { error: 7, errors: 'moderation' }).failure, 'credentials')
    assert.equal(refuse(500, { error: 'content moderation is away' }).failure, 'unknown')
  })

  it('speak of money in more than one way', () => {
    for (const words of [
      'not enough api tokens',
      'Insufficient credits',
      'No active subscription',
      'Payment required',
    ]) {
      assert.equal(refuse(400, { error: words }).failure, 'credentials', words)
    }
    assert.equal(refuse(400, { error: 'maximum length of 1500 characters exceeded' }).failure, 'mistake')
  })

  it('have a reason only where one is named', () => {
    assert.equal(toReason('EXTREME_VIOLENCE'), 'extreme_violence')
    for (const text of ['', 'the prompt shows what it must not', '[prompt]', 'x'.repeat(41), '18+']) {
      assert.equal(toReason(text), undefined)
    }
  })
})
