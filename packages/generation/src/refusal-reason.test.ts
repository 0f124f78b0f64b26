import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toReason } from './refusal-reason.ts'

test('a reason is a short category in small letters, or there is none', () => {
  for (const [category, reason] of [
    ['sexual', 'sexual'],
    ['Self-Harm', 'self-harm'],
    ['self_harm', 'self_harm'],
    ['violence/graphic', undefined],
    ['<b>', undefined],
    ['', undefined],
    ['x'.repeat(41), undefined],
    [7, undefined],
    [undefined, undefined],
  ] as const) {
    assert.equal(toReason(category), reason)
  }
})
