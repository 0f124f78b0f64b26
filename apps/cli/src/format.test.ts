import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, credits, sheet, table } from './format.ts'

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
