import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from './config.ts'
import { openCounters } from './counters.ts'
import { createErrorLogger } from './error-logger.ts'

test('a store of counts that swallows what it is told is given up for a while, as one that fails is', {
  timeout: 30_000,
}, async () => {
  const { promise: never } = Promise.withResolvers<never>()
  const counters = await openCounters(readConfig({}), { run: () => never }, createErrorLogger({ level: 'silent' }))
  assert.equal(await counters.add([{ name: 'key a', by: 1 }]), undefined)
  // It would take a second each.
  for (let n = 0; n < 100; n += 1) {
    assert.equal(await counters.count(['key a']), undefined)
  }
})
