import type { ApiKeySummary, KeyLimits } from '@wombat/engine'
import { type Command, InvalidArgumentError } from 'commander'
import { integer } from './arguments.ts'
import { CliError } from './errors.ts'
import { count } from './format.ts'

/* Limits as options: a value, or `none` to take the limit away. */

export type OrNone<T> = T | 'none'

export function orNone<T>(parse: (text: string) => T): (text: string) => OrNone<T> {
  return (text) => (text.trim() === 'none' ? 'none' : parse(text))
}

/** Commander takes null for no value at all, so it only comes in here. */
export function toLimit<T>(value: OrNone<T> | undefined): T | null | undefined {
  return value === 'none' ? null : value
}

/** Words with commas between them. `none` is the empty list. */
export function list(text: string): string[] {
  const words = text.split(',').map((word) => word.trim())
  if (words.length === 1 && words[0] === 'none') {
    return []
  }
  if (words.some((word) => word === '' || word === 'none' || word.length > 64)) {
    throw new InvalidArgumentError('It takes words with commas between them, or none.')
  }
  return [...new Set(words)]
}

/** A number with or without a fraction. */
export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d{1,9}(\.\d{1,6})?$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It takes a number from ${min} to ${max}.`)
    }
    return value
  }
}

export interface LimitOptions {
  readonly dailyBudget?: OrNone<number>
  readonly monthlyBudget?: OrNone<number>
  readonly models?: string[]
  readonly qualities?: string[]
  readonly sizes?: string[]
  readonly networks?: string[]
}

const MOST_CREDITS = 1_000_000_000

export function addLimitOptions(command: Command): Command {
  return command
    .option('--daily-budget <credits>', 'what it may spend in a day of UTC, or none', orNone(integer(0, MOST_CREDITS)))
    .option('--monthly-budget <credits>', 'what it may spend in a month, or none', orNone(integer(0, MOST_CREDITS)))
    .option('--models <models>', 'the only models that it may use, such as gpt-image-2,standard, or none', list)
    .option('--qualities <qualities>', 'the only qualities, such as fast,medium, or none', list)
    .option('--sizes <sizes>', 'the only sizes as they are made, such as 1024x1024,1536x1024, or none', list)
    .option('--networks <networks>', 'where it may be used from, such as 10.0.0.0/8,2001:db8::/32, or none', list)
}

/** What the options say, checked against what this version sells. Only what was given. */
export async function toKeyLimits(options: LimitOptions): Promise<Partial<KeyLimits>> {
  const { dailyBudget, monthlyBudget, models, qualities, sizes, networks } = options
  const limits: Partial<KeyLimits> = {
    ...(dailyBudget === undefined ? {} : { dailyBudget: toLimit(dailyBudget) ?? null }),
    ...(monthlyBudget === undefined ? {} : { monthlyBudget: toLimit(monthlyBudget) ?? null }),
    ...(models === undefined ? {} : { allowedModels: models }),
    ...(qualities === undefined ? {} : { allowedQualities: qualities }),
    ...(sizes === undefined ? {} : { allowedSizes: sizes }),
    ...(networks === undefined ? {} : { allowedNetworks: networks }),
  }
  await checkWords(limits)
  return limits
}

/** Throws when there is a word in the lists that nothing could ever match. */
export async function checkWords(lists: { readonly [Name in keyof KeyLimits]?: KeyLimits[Name] | undefined }) {
  const { findUnknownWords } = await import('@wombat/engine')
  const faults = findUnknownWords(lists)
  if (faults.length > 0) {
    throw new CliError('usage', faults.join('; '))
  }
}

/** All limits of a key in a few words; 'none' without any. */
export function limitsInWords(key: ApiKeySummary): string {
  const { dailyBudget, monthlyBudget, allowedModels, allowedQualities, allowedSizes, allowedNetworks } = key
  const words = [
    ...(key.rateLimitPerMinute === null ? [] : [`${count(key.rateLimitPerMinute)} requests a minute`]),
    ...(dailyBudget === null ? [] : [`${count(dailyBudget)} credits a day`]),
    ...(monthlyBudget === null ? [] : [`${count(monthlyBudget)} credits a month`]),
    ...[allowedModels, allowedQualities, allowedSizes].filter(({ length }) => length > 0).map((all) => all.join(', ')),
    ...(allowedNetworks.length === 0 ? [] : [`from ${allowedNetworks.join(', ')}`]),
  ]
  return words.length === 0 ? 'none' : words.join('; ')
}
