import assert from 'node:assert/strict'
import { test } from 'node:test'
import { network } from './limiters.ts'

test('one client is one network, however the socket writes his address', () => {
  assert.equal(network('192.0.2.1'), '192.0.2.1')
  assert.equal(network('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(network('2001:db8:1:2::1'), network('2001:0db8:1:2:ffff::'))
  assert.notEqual(network('2001:db8:1:2::1'), network('2001:db8:1:3::1'))
})
