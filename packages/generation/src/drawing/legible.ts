import { readFileSync } from 'node:fs'

/** Scripts that Inter has no letters for, by the name a reader knows; the order decides where two share letters. */
const SCRIPTS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/u, 'Japanese'],
  [/\p{Script=Hangul}/u, 'Korean'],
  [/\p{Script=Han}/u, 'Chinese'],
  [/\p{Script=Arabic}/u, 'Arabic'],
  [/\p{Script=Hebrew}/u, 'Hebrew'],
  [/\p{Script=Devanagari}/u, 'Devanagari'],
  [/\p{Script=Bengali}/u, 'Bengali'],
  [/\p{Script=Tamil}/u, 'Tamil'],
  [/\p{Script=Thai}/u, 'Thai'],
  [/\p{Script=Georgian}/u, 'Georgian'],
  [/\p{Script=Armenian}/u, 'Armenian'],
]

const EMOJI =
  /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|\p{Variation_Selector}|\u{20E3}|[\u{E0020}-\u{E007F}]/gu
const KEPT = /[©®™]/

/** The characters that our font files say they have, as one pattern of the others. */
export function unknownLetters(): RegExp {
  const ranges = readFileSync(new URL(import.meta.resolve('@fontsource/inter/unicode.json')), 'utf8').matchAll(
    /U\+([0-9A-F]+)(?:-([0-9A-F]+))?/g,
  )
  const known = [...ranges].map(([, from, to]) => (to ? `\\u{${from}}-\\u{${to}}` : `\\u{${from}}`)).join('')
  return new RegExp(`[^${known}]+`, 'gu')
}

/**
 * A prompt as it can be drawn: one line, without emoji, and with the name of the script in brackets where our font
 * has no letters. It never draws empty boxes.
 */
export function legible(text: string, unknown: RegExp): string {
  const line = text
    .slice(0, 2000)
    .toWellFormed()
    .normalize('NFC')
    .replace(EMOJI, (character) => (KEPT.test(character) ? character : ''))
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/\p{Cf}/gu, '')
  const isJapanese = SCRIPTS[0]?.[0].test(line) ?? false
  const named = line.replace(unknown, (run) => {
    const name = SCRIPTS.find(([pattern]) => pattern.test(run))?.[1]
    return name ? ` [${isJapanese && name === 'Chinese' ? 'Japanese' : name}] ` : ' '
  })
  const tidy = named
    .replace(/(\[\w+\])(?:[\s.,:;!?'"()-]*\1)+/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  return tidy === '' ? '…' : tidy
}
