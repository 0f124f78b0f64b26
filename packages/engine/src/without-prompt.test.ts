import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutPrompt } from './without-prompt.ts'

const PROMPT = 'A quokka juggling "nineteen" jars\nof marmalade at dusk'

test('what an upstream quotes of a prompt is cut off, whole, in part, escaped or broken', () => {
  for (const [words, left] of [
    [`Refused: ${PROMPT}`, 'Refused: [prompt]'],
    ['Refused: A quokka juggling', 'Refused: [prompt]'],
    ['near "jars of marmalade at": no', 'near "[prompt]'],
    [`{"prompt":${JSON.stringify(PROMPT)}}`, '{"prompt":"[prompt]'],
    ['bad: juggling \\"nineteen\\" jars', 'bad:[prompt]'],
    ['Rate limit reached for images a minute', 'Rate limit reached for images a minute'],
  ]) {
    assert.equal(withoutPrompt(words ?? '', [PROMPT]), left)
  }
})

test('a short prompt is looked for whole, a tiny one not at all', () => {
  assert.equal(withoutPrompt('no cats here', ['cats']), 'no [prompt]')
  assert.equal(withoutPrompt('no cats here', ['a', '', 'cat']), 'no cats here')
  assert.equal(withoutPrompt('of this and final one', ['other', 'final one']), 'of this and [prompt]')
})
