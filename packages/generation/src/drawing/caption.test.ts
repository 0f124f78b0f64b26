import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { wrap } from './caption.ts'
import { legible, unknownLetters } from './legible.ts'

const unknown = unknownLetters()
const show = (text: string): string => legible(text, unknown)
/** Each character is one wide. */
const measure = (text: string): number => [...text].length

describe('legible', () => {
  it('keeps every letter that the font has', () => {
    for (const text of ['Žluťoučký kůň', 'Большая кошка', 'Ωραία γάτα', 'Tiếng Việt', '“quoted” — 5 × 3 €', '© ™']) {
      assert.equal(show(text), text)
    }
  })

  it('names a script that it can not write, once for each run', () => {
    assert.equal(show('猫が庭で遊んでいる'), '[Japanese]')
    assert.equal(show('一只猫，在花园里'), '[Chinese]')
    assert.equal(show('a 猫 in صورة قطة snow'), 'a [Chinese] in [Arabic] snow')
    assert.equal(show('고양이 산책'), '[Korean]')
  })

  it('drops emoji, controls and invisible characters', () => {
    assert.equal(show('fox 🦊👨‍👩‍👧🇩🇪❤️ in\n\tsnow\u0000\u202e'), 'fox in snow')
    assert.equal(show('😀'), '…')
    assert.equal(show('\ud800'), '�')
  })
})

describe('wrap', () => {
  it('breaks between words', () => {
    assert.deepEqual(wrap('the quick brown fox', 10, measure), ['the quick', 'brown fox'])
    assert.deepEqual(wrap('fox', 10, measure), ['fox'])
  })

  it('ends the third line with an ellipsis when there is more, and never overflows', () => {
    const lines = wrap('the quick brown fox jumps over the lazy dog again', 10, measure)
    assert.equal(lines.length, 3)
    assert.match(lines[2] ?? '', /…$/)
    for (const line of lines) {
      assert.ok(measure(line) <= 10, line)
    }
  })

  it('breaks a word that is longer than a line', () => {
    const lines = wrap('x'.repeat(500), 10, measure)
    assert.deepEqual(lines.map(measure), [10, 10, 10])
    assert.deepEqual(wrap('abcdefghijklmno pq', 10, measure), ['abcdefghij', 'klmno pq'])
  })
})
