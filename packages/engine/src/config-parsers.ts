import { parseNetwork } from '@wombat/accounts'
import { type Plan, parseSimulation, type Simulation } from '@wombat/contract'
import { parseRedisUrl, REDIS_URL_FORMS } from '@wombat/queue'

/* What settings take: each parser reads a text, or says what it should have been. */

/** Answers the value, or throws FormatError with what the variable takes. */
export type Parser<T> = (text: string) => T

/** The text can't be taken; the message says what the variable takes. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

export function integer(min: number, max: number): Parser<number> {
  return (text) => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw new FormatError(`a whole number from ${min} to ${max}`)
    }
    return value
  }
}

export function decimal(min: number, max: number): Parser<number> {
  return (text) => {
    const value = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max) {
      throw new FormatError(`a number from ${min} to ${max}`)
    }
    return value
  }
}

export function choice<const T extends string>(...choices: readonly T[]): Parser<T> {
  return (text) => {
    const found = choices.find((one) => one === text.toLowerCase())
    if (found === undefined) {
      throw new FormatError(`one of ${choices.join(', ')}`)
    }
    return found
  }
}

export function flag(text: string): boolean {
  return choice('true', 'false', 'on', 'off', '1', '0', 'yes', 'no')(text).match(/^(true|on|1|yes)$/) !== null
}

export function text(value: string): string {
  return value
}

export function key(value: string): string {
  if (!/^[A-Za-z0-9._-]{16,128}$/.test(value)) {
    throw new FormatError('16 to 128 letters, digits, dots, dashes or underscores, best a UUID')
  }
  return value
}

export function httpUrl(value: string): string {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new FormatError(
      'an http or https URL without user name, query or fragment, such as https://images.example.com',
    )
  }
  return url.href.replace(/\/+$/, '')
}

export function postgresUrl(value: string): string {
  const url = URL.parse(value)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new FormatError('a PostgreSQL URL, such as postgresql://user:password@host:5432/wombat')
  }
  return value
}

export function redisUrl(value: string): string {
  if (parseRedisUrl(value) === undefined) {
    throw new FormatError(REDIS_URL_FORMS)
  }
  return value
}

export interface LatencyRange {
  readonly minMs: number
  readonly maxMs: number
}

export function latency(value: string): LatencyRange {
  const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(value)
  const minMs = Number(match?.[1])
  const maxMs = Number(match?.[2] ?? match?.[1])
  if (match === null || minMs > maxMs) {
    throw new FormatError('milliseconds: one number such as 500, or a range such as 300-900')
  }
  return { minMs, maxMs }
}

export function aliases(value: string): ReadonlyMap<string, string> {
  const pairs = value.split(',').map((pair) => pair.split('=').map((part) => part.trim()))
  if (pairs.some((pair) => pair.length !== 2 || pair.includes(''))) {
    throw new FormatError('pairs such as my-model=gpt-image-2,other=standard')
  }
  return new Map(pairs.map(([alias = '', model = '']) => [alias, model]))
}

/** Names and values as OpenTelemetry writes them: percent-encoded, with commas between the pairs. */
export function attributes(value: string): ReadonlyMap<string, string> {
  const pairs = value.split(',').map((pair) => /^\s*([^\s=]+)\s*=\s*(.*?)\s*$/.exec(pair))
  try {
    return new Map(pairs.map((pair) => [decodeURIComponent(pair?.[1] ?? '%'), decodeURIComponent(pair?.[2] ?? '')]))
  } catch (error) {
    throw new FormatError('pairs such as name=value,other=value, percent-encoded', { cause: error })
  }
}

export function addresses(value: string): readonly string[] {
  const list = value.split(',').map((part) => part.trim())
  // Not the whole world, where everyone would choose his own address.
  const isTaken = (part: string) =>
    (parseNetwork(part)?.prefix ?? 0) > 0 || /^(loopback|linklocal|uniquelocal)$/.test(part)
  if (!list.every(isTaken)) {
    throw new FormatError('addresses or networks, such as 127.0.0.1,10.0.0.0/8, or loopback, linklocal, uniquelocal')
  }
  return list
}

export function optional<T>(parse: Parser<T>): Parser<T | undefined> {
  return parse
}

export function hosts(value: string): readonly string[] {
  const list = value.split(',').map((part) => part.trim().toLowerCase())
  const isTaken = (part: string) =>
    /^(\[[0-9a-f:]+\]|[a-z0-9.-]+):[1-9]\d{0,4}$/.test(part) && Number(part.split(':').at(-1)) <= 65535
  if (!list.every(isTaken)) {
    throw new FormatError('host:port pairs, such as files.intranet:8080')
  }
  return list
}

/** A secret, or several of them, which share the work. */
export function keys(value: string): readonly string[] {
  const list = value.split(',').map((part) => part.trim())
  if (!list.every((one) => /^[\x21-\x7e]+$/.test(one))) {
    throw new FormatError('a key without spaces, or several with commas between them')
  }
  return list
}

/** A secret without spaces. */
export function word(value: string): string {
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new FormatError('a text without spaces')
  }
  return value
}

export function bucket(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(value)) {
    throw new FormatError('the name of a bucket, such as wombat-images')
  }
  return value
}

/** Ends with a slash. */
export function keyPrefix(value: string): string {
  const path = value.replace(/\/+$/, '')
  const parts = path.split('/')
  if (!parts.every((part) => /^[A-Za-z0-9!_.*'()-]+$/.test(part) && part !== '.' && part !== '..')) {
    throw new FormatError('a path within the bucket without a slash before it, such as production/wombat')
  }
  return `${path}/`
}

/** Faults for every picture: an error of the POST is none. */
export function simulation(value: string): Simulation {
  const read = parseSimulation(value)
  if ('expected' in read) {
    throw new FormatError(read.expected)
  }
  if (read.error !== undefined) {
    throw new FormatError('faults of pictures; error=CODE is for the header X-Wombat-Simulate')
  }
  return read
}

/** Days, or `never`. */
export function daysOrNever(least: number): Parser<number | undefined> {
  return (value) => {
    if (value.toLowerCase() === 'never') {
      return undefined
    }
    try {
      return decimal(least, 36_500)(value)
    } catch (error) {
      const from = least < 1 ? 'above 0' : `from ${least}`
      throw new FormatError(`never, or a number of days ${from} up to 36500`, { cause: error })
    }
  }
}

/** One value for each plan. */
export type PerPlan<T> = Readonly<Record<Plan, T>>

/** One value for all plans, or one for each: `24`, or `basic=6,professional=24`. A plan that is not named has `rest`. */
export function perPlan<T>(parse: Parser<T>, rest: T): Parser<PerPlan<T>> {
  return (value) => {
    if (!value.includes('=')) {
      const all = parse(value)
      return { basic: all, professional: all }
    }
    const values: { -readonly [Name in Plan]: T } = { basic: rest, professional: rest }
    for (const pair of value.split(',')) {
      const [plan = '', text = ''] = pair.split('=').map((part) => part.trim())
      if (plan !== 'basic' && plan !== 'professional') {
        throw new FormatError('one value for all plans, or one for each, such as basic=30,professional=365')
      }
      values[plan] = parse(text)
    }
    return values
  }
}
