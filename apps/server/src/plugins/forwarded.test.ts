import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readForwarded } from './forwarded.ts'

test('ports and brackets of an address do not matter', () => {
  const header = '198.51.100.7:4711,[2001:db8::7]:443 , [2001:db8::8],2001:db8::9,\t::ffff:192.0.2.1, 192.0.2.2'
  assert.deepEqual(readForwarded(header), [
    ...['198.51.100.7', '2001:db8::7', '2001:db8::8', '2001:db8::9', '::ffff:192.0.2.1', '192.0.2.2'],
  ])
})

test('what is no address ends the list, and what stands before it is nobody', () => {
  for (const other of [
    'unknown',
    '_hidden',
    '999.1.1.1',
    '1.2.3.4:',
    '1.2.3.4.5:1',
    '',
    '[1.2.3.4',
    'x[::1]',
    '"::1"',
  ]) {
    assert.deepEqual(readForwarded(`10.0.0.1, ${other}, 192.0.2.2`), ['192.0.2.2'], other)
    assert.deepEqual(readForwarded(other), [], other)
  }
})

test('a list without end is read from its end', () => {
  const header = `${'10.0.0.1, '.repeat(1_000)}192.0.2.2`
  assert.equal(readForwarded(header).length, 20)
  assert.equal(readForwarded(header).at(-1), '192.0.2.2')
})
