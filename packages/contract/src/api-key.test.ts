import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isApiKeyShape, newApiKey } from './api-key.ts'

test('a new key is a UUID v4 and has the shape of a key', () => {
  const keys = Array.from({ length: 1000 }, newApiKey)
  assert.equal(new Set(keys).size, keys.length)
  for (const key of keys) {
    assert.match(key, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.ok(isApiKeyShape(key))
  }
})

test('a key has 16 to 128 characters', () => {
  assert.equal(isApiKeyShape('a'.repeat(15)), false)
  assert.equal(isApiKeyShape('a'.repeat(16)), true)
  assert.equal(isApiKeyShape('a'.repeat(128)), true)
  assert.equal(isApiKeyShape('a'.repeat(129)), false)
  assert.equal(isApiKeyShape(''), false)
  assert.equal(isApiKeyShape('a'.repeat(1_000_000)), false)
})

test('a key has letters, digits, dots, underscores and hyphens only', () => {
  assert.equal(isApiKeyShape('wombat_AZaz09.-_-._'), true)
  for (const odd of [' ', '\n', '\0', '/', '+', '=', '"', "'", ';', '%', 'é', '\u212a', '\ud800', ',']) {
    assert.equal(isApiKeyShape(`0123456789abcdef${odd}`), false, JSON.stringify(odd))
    assert.equal(isApiKeyShape(`${odd}0123456789abcdef`), false, JSON.stringify(odd))
  }
})
