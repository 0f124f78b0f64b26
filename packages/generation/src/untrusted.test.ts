import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hidePrompt } from './untrusted.ts'

test('a text that quotes the prompt ends there, cut short or whole', () => {
  assert.equal(hidePrompt('bad: a red fox!', 'a red fox'), 'bad: [prompt]')
  const long = `the long story ${'of a fox '.repeat(50)}`
  assert.equal(hidePrompt(`refused "${long.slice(0, 60)}..."`, long), 'refused "[prompt]')
  assert.equal(hidePrompt('a size is missing', 'a red fox'), 'a size is missing')
  assert.equal(hidePrompt('a size is missing', ''), 'a size is missing')
  assert.equal(hidePrompt('a size is missing', 'a'), 'a size is missing')
})
