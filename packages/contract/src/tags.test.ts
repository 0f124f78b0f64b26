import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTags } from './tags.ts'

test('pairs with commas between them, white space around each part dropped', () => {
  assert.deepEqual(parseTags('team=acme'), { tags: { team: 'acme' } })
  assert.deepEqual(parseTags('  team = acme corp ,project=x1,a-b_9=1=2 '), {
    tags: { team: 'acme corp', project: 'x1', 'a-b_9': '1=2' },
  })
  assert.deepEqual(parseTags('expected=1, constructor=2'), { tags: { expected: '1', constructor: '2' } })
  assert.deepEqual(parseTags(`${'a'.repeat(32)}=${'~'.repeat(64)}`), { tags: { ['a'.repeat(32)]: '~'.repeat(64) } })
  const ten = Array.from({ length: 10 }, (_, index) => `t${index}=x`)
  assert.deepEqual(Object.keys(Object(Object(parseTags(ten.join(','))).tags)).length, 10)
})

test('nothing is no tags', () => {
  assert.deepEqual([parseTags(''), parseTags('  ')], [{ tags: undefined }, { tags: undefined }])
})

test('everything else is refused, with what it takes', () => {
  const eleven = Array.from({ length: 11 }, (_, index) => `t${index}=x`).join(',')
  for (const text of [
    ...['team', 'team=', '=acme', 'Team=acme', '1a=x', '_a=x', 'a.b=x', 'a b=x', '__proto__=x'],
    ...['team=acme,', ',team=acme', 'team=acme,,a=b', 'team=a,team=b', 'team=a\tb', 'team=caf\u00e9', 'team=a\u0000'],
    ...[`${'a'.repeat(33)}=x`, `a=${'x'.repeat(65)}`, eleven],
  ]) {
    const read = parseTags(text)
    assert.ok('expected' in read, text)
    assert.match(read.expected, /^pairs such as team=acme, project=x1: at most 10,/)
  }
})
