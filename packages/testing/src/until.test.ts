import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from './until.ts'

test('until returns the first answer that is there', async () => {
  let calls = 0
  const answer = await until(
    () => {
      calls += 1
      return calls === 3 ? 'here' : undefined
    },
    { what: 'a third call' },
  )
  assert.equal(answer, 'here')
  assert.equal(calls, 3)
})

test('0 and the empty text are answers, false is not', async () => {
  assert.equal(await until(() => 0, { what: 'zero' }), 0)
  assert.equal(await until(() => Promise.resolve(''), { what: 'text' }), '')
  await assert.rejects(
    until(() => false, { timeoutMs: 30, what: 'the image is ready' }),
    /Waited 0.03 s in vain: the image is ready/,
  )
})

test('an error of the condition ends the wait', async () => {
  await assert.rejects(
    until(() => Promise.reject(new Error('broken')), { what: 'anything' }),
    /broken/,
  )
})
