import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatUsd } from './usage-report.ts'

test('money is exact to the millionth', () => {
  const amounts = [0, 1, 41_234, 1_000_000, 9_007_199_255, -5].map(formatUsd)
  assert.deepEqual(amounts, ['0.000000', '0.000001', '0.041234', '1.000000', '9007.199255', '-0.000005'])
})
