import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describePicture, MAX_ALT_LENGTH, trimAlt } from './alt-text.ts'

const of = (prompt: string): string => describePicture(prompt, 'A photo of')

describe('describePicture', () => {
  it('gives a bare subject its article', () => {
    assert.equal(of('cat'), 'A photo of a cat')
    assert.equal(of('apple'), 'A photo of an apple')
    assert.equal(of('unicorn'), 'A photo of a unicorn')
    assert.equal(of('umbrella'), 'A photo of an umbrella')
    assert.equal(of('tabby cat with bright green eyes'), 'A photo of a tabby cat with bright green eyes')
    assert.equal(
      of('majestic mountain landscape, golden hour'),
      'A photo of a majestic mountain landscape, golden hour',
    )
  })

  it('leaves plurals, uncounted things, names and other languages alone', () => {
    for (const prompt of [
      'cats on a roof',
      'fresh snow',
      'children at play',
      'Paris at night',
      'dancing in the rain',
      '猫が庭で遊ぶ',
      '12 monkeys',
    ]) {
      assert.equal(of(prompt), `A photo of ${prompt}`)
    }
  })

  it('goes on in the sentence when the prompt starts with an article', () => {
    assert.equal(of('A majestic mountain. At dawn.'), 'A photo of a majestic mountain. At dawn')
    assert.equal(of('The old mill'), 'A photo of the old mill')
    assert.equal(of('Two dogs'), 'A photo of two dogs')
  })

  it('does not describe a picture of a picture, nor an order', () => {
    assert.equal(of('a watercolor of a cat'), 'A watercolor of a cat')
    assert.equal(of('Generate an image of a red barn!'), 'An image of a red barn!')
    assert.equal(of('please draw me a horse'), 'A photo of a horse')
    assert.equal(describePicture('   ', 'A photo of'), 'A photo')
  })

  it('is one line', () => {
    assert.equal(of('a fox\n\n in\tthe \u0000 snow'), 'A photo of a fox in the snow')
  })
})

describe('trimAlt', () => {
  it('ends at a word, without dangling words or punctuation', () => {
    const alt = trimAlt(`${'word '.repeat(48)}and with, the rest of the long text`)
    assert.ok(alt.length <= MAX_ALT_LENGTH)
    assert.match(alt, /word$/)
    assert.equal(trimAlt('A cat, - '), 'A cat')
    assert.equal(trimAlt('A cat on a mat.'), 'A cat on a mat')
  })

  it('cuts one endless word, and never through a character', () => {
    assert.equal(trimAlt('x'.repeat(999)).length, MAX_ALT_LENGTH)
    assert.ok(trimAlt('😀'.repeat(400)).isWellFormed())
    assert.ok(trimAlt(`x${'😀'.repeat(400)}`).isWellFormed())
  })
})
