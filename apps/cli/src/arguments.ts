import { InvalidArgumentError } from 'commander'
import { CliError } from './errors.ts'

/* What options and arguments take, checked before anything is opened. Commander names the option that is wrong. */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Ids of accounts and keys. */
export function id(text: string): string {
  if (!UUID.test(text.trim())) {
    throw new InvalidArgumentError('It takes an id such as 3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01.')
  }
  return text.trim().toLowerCase()
}

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^-?\d{1,15}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`)
    }
    return value
  }
}

/** A label for people, of one line. */
export function label(maxLength: number): (text: string) => string {
  return (text) => {
    const trimmed = text.trim()
    if (trimmed === '' || trimmed.length > maxLength || /\p{Cc}/u.test(trimmed) || !trimmed.isWellFormed()) {
      throw new InvalidArgumentError(`It takes one line of 1 to ${maxLength} characters.`)
    }
    return trimmed
  }
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A moment to come: from now on, such as 30d, 12h or 90m, or a date. */
export function futureTime(text: string): Date {
  const [, amount, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  const isDate = /^\d{4}-\d{2}-\d{2}([T ].*)?$/.test(text)
  const at =
    amount === undefined
      ? new Date(isDate ? text : Number.NaN)
      : new Date(Date.now() + Number(amount) * (UNITS_MS[unit ?? ''] ?? 0))
  if (Number.isNaN(at.getTime()) || at.getTime() <= Date.now()) {
    throw new InvalidArgumentError('It takes a time to come, such as 30d, 12h, 90m or 2030-01-31.')
  }
  return at
}

/** A moment for a report: so long ago, such as 7d or 24h, or a day or time of UTC. */
export function moment(text: string): Date {
  const [, amount, unit] = /^(\d{1,5})([mhd])$/.exec(text) ?? []
  if (amount !== undefined) {
    return new Date(Date.now() - Number(amount) * (UNITS_MS[unit ?? ''] ?? 0))
  }
  const [, day = '', clock = '00:00', zone = 'Z'] = ISO_TIME.exec(text) ?? []
  const at = new Date(`${day}T${clock}${zone}`)
  // JavaScript takes 30 February for 2 March.
  const isThere = new Date(`${day}T00:00Z`).toJSON()?.startsWith(day) === true
  if (day === '' || !isThere || Number.isNaN(at.getTime())) {
    throw new InvalidArgumentError(
      'It takes a day of UTC such as 2030-01-31, a time such as 2030-01-31T18:00, 7d or 24h.',
    )
  }
  return at
}

const ISO_TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/

/** Where a webhook leads. */
export function webUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || text.length > 2048) {
    throw new InvalidArgumentError('It takes an https or http URL such as https://shop.example.com/hooks/images.')
  }
  return url.href
}

/** What may be given by its place or by its option, and must be given once. */
export function required<T>(name: string, placed: T | undefined, option: T | undefined): T {
  const value = placed ?? option
  if (value === undefined) {
    throw new CliError('usage', `the ${name} is missing: give it as an argument, or with --${name}`)
  }
  if (placed !== undefined && option !== undefined && placed !== option) {
    throw new CliError(
      'usage',
      `two different values for the ${name}: "${String(placed)}" and --${name} "${String(option)}"`,
    )
  }
  return value
}

/** The account as an argument or as --account. */
export function takeAccount(placed: string | undefined, options: { account?: string }): string {
  return required('account', placed === undefined ? undefined : checkId('account', placed), options.account)
}

/** An id that came as an argument; `name` tells which. */
export function checkId(name: string, text: string): string {
  if (!UUID.test(text.trim())) {
    const example = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'
    throw new CliError('usage', `the ${name} "${text.slice(0, 64)}" is no id: it takes one such as ${example}`)
  }
  return id(text)
}

export function noSuchAccount(accountId: string): CliError {
  return new CliError('not_found', `there is no account ${accountId}: \`wombat account list\` shows them`)
}
