import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bar } from './share.ts'

test('the bar is as long at the beginning as at the end, and full only then', () => {
  assert.equal(bar(0), '[░░░░░░░░░░░░░░░░░░░░░░░░]   0 %')
  assert.equal(bar(0.5), '[████████████░░░░░░░░░░░░]  50 %')
  assert.equal(bar(0.999).endsWith(' 99 %'), true)
  assert.equal(bar(1), '[████████████████████████] 100 %')
})
