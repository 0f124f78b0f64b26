import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasOtherServers } from './servers.ts'

test('a database that swallows the question holds up no stop', { timeout: 30_000 }, async () => {
  const { promise: never } = Promise.withResolvers<never>()
  assert.equal(await hasOtherServers({ db: { run: () => never }, listener: { isConnected: true } }), false)
})
