import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, credits, sheet, table, usd } from './format.ts'

test('columns are as wide as they need, and numbers end at one line', () => {
  const text = table(
    ['NAME', 'CREDITS'],
    [
      ['a', '5'],
      ['long name', '1,000'],
    ],
    [1],
  )
  assert.equal(text, 'NAME       CREDITS\na                5\nlong name    1,000')
})

test('text from outside can not steer the terminal', () => {
  assert.equal(table(['NAME'], [['a\u001b[2Jb\nc\u202ed']]), 'NAME\na [2Jb c d')
  assert.equal(
    sheet([
      ['name', '\u0007x'],
      ['left out', undefined],
    ]),
    'name   x',
  )
})

test('amounts are in words and units', () => {
  assert.deepEqual([credits(1), credits(0), credits(-1000)], ['1 credit', '0 credits', '-1,000 credits'])
  assert.deepEqual(
    [bytes(999), bytes(1500), bytes(137_000), bytes(2_000_000_000)],
    ['999 B', '1.5 KB', '137 KB', '2.0 GB'],
  )
})

test('money is exact to the millionth', () => {
  const amounts = [0, 1, 41_234, 1_000_000, 9_007_199_255, -5].map(usd)
  assert.deepEqual(amounts, ['0.000000', '0.000001', '0.041234', '1.000000', '9007.199255', '-0.000005'])
})
