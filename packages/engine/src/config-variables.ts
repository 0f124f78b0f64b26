/*
 * Every setting: its name in the environment, what it takes, its default. `.env.example` lists the same names (a test
 * compares), and scripts outside this repository use them: don't rename.
 */

/** Answers the value, or throws FormatError with what the variable takes. */
export type Parser<T> = (text: string) => T

/** The text can't be taken; the message says what the variable takes. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
}

export interface Variable<T> {
  readonly parse: Parser<T>
  readonly default: T
  /** May also be given as a file, by the name with `_FILE` behind it; its value is never shown. */
  readonly isSecret?: true
}

function integer(min: number, max: number): Parser<number> {
  return (text) => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < min || value > max) {
      throw new FormatError(`a whole number from ${min} to ${max}`)
    }
    return value
  }
}

function decimal(min: number, max: number): Parser<number> {
  return (text) => {
    const value = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max) {
      throw new FormatError(`a number from ${min} to ${max}`)
    }
    return value
  }
}

function choice<const T extends string>(...choices: readonly T[]): Parser<T> {
  return (text) => {
    const found = choices.find((one) => one === text.toLowerCase())
    if (found === undefined) {
      throw new FormatError(`one of ${choices.join(', ')}`)
    }
    return found
  }
}

function flag(text: string): boolean {
  return choice('true', 'false', 'on', 'off', '1', '0', 'yes', 'no')(text).match(/^(true|on|1|yes)$/) !== null
}

function text(value: string): string {
  return value
}

function key(value: string): string {
  if (!/^[A-Za-z0-9._-]{16,128}$/.test(value)) {
    throw new FormatError('16 to 128 letters, digits, dots, dashes or underscores, best a UUID')
  }
  return value
}

function httpUrl(value: string): string {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new FormatError(
      'an http or https URL without user name, query or fragment, such as https://images.example.com',
    )
  }
  return url.href.replace(/\/+$/, '')
}

function postgresUrl(value: string): string {
  const url = URL.parse(value)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new FormatError('a PostgreSQL URL, such as postgresql://user:password@host:5432/wombat')
  }
  return value
}

export interface LatencyRange {
  readonly minMs: number
  readonly maxMs: number
}

function latency(value: string): LatencyRange {
  const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(value)
  const minMs = Number(match?.[1])
  const maxMs = Number(match?.[2] ?? match?.[1])
  if (match === null || minMs > maxMs) {
    throw new FormatError('milliseconds: one number such as 500, or a range such as 300-900')
  }
  return { minMs, maxMs }
}

function aliases(value: string): ReadonlyMap<string, string> {
  const pairs = value.split(',').map((pair) => pair.split('=').map((part) => part.trim()))
  if (pairs.some((pair) => pair.length !== 2 || pair.includes(''))) {
    throw new FormatError('pairs such as my-model=gpt-image-2,other=standard')
  }
  return new Map(pairs.map(([alias = '', model = '']) => [alias, model]))
}

function addresses(value: string): readonly string[] {
  const list = value.split(',').map((part) => part.trim())
  if (
    !list.every((part) => /^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(part) || /^(loopback|linklocal|uniquelocal)$/.test(part))
  ) {
    throw new FormatError('addresses or networks, such as 127.0.0.1,10.0.0.0/8, or loopback, linklocal, uniquelocal')
  }
  return list
}

const none = undefined

/** The declaration of all settings, in the order of `.env.example`. */
export const VARIABLES = {
  PORT: { parse: integer(0, 65535), default: 3000 },
  HOST: { parse: text, default: '127.0.0.1' },
  PUBLIC_URL: { parse: optional(httpUrl), default: none },
  TRUST_PROXY: { parse: addresses, default: [] },
  DATA_DIR: { parse: text, default: './data' },
  DATABASE_URL: { parse: optional(postgresUrl), default: none, isSecret: true },
  DATABASE_POOL_SIZE: { parse: integer(2, 200), default: 10 },
  BOOTSTRAP_API_KEY: { parse: optional(key), default: none, isSecret: true },
  BOOTSTRAP_CREDITS: { parse: integer(0, 1_000_000_000), default: 1000 },
  LOG_LEVEL: { parse: choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'), default: 'info' },
  LOG_FORMAT: { parse: choice('auto', 'pretty', 'json'), default: 'auto' },
  RATE_LIMIT_PER_MINUTE: { parse: integer(1, 1_000_000), default: 60 },
  AUTH_FAILURES_PER_MINUTE: { parse: integer(1, 1_000_000), default: 60 },
  NOT_FOUND_PER_MINUTE: { parse: integer(1, 1_000_000), default: 300 },
  MODEL_ALIASES: { parse: aliases, default: new Map<string, string>() },
  SYNTHETIC: { parse: choice('auto', 'always', 'off'), default: 'auto' },
  SYNTHETIC_LATENCY_MS: { parse: latency, default: { minMs: 300, maxMs: 900 } },
  OPENAI_API_KEY: { parse: optional(text), default: none, isSecret: true },
  OPENAI_BASE_URL: { parse: httpUrl, default: 'https://api.openai.com/v1' },
  OPENAI_IMAGE_MODEL: { parse: text, default: 'gpt-image-2' },
  OPENAI_PROMPT_MODEL: { parse: text, default: 'gpt-6-luna' },
  OPENAI_CONCURRENCY: { parse: integer(1, 1000), default: 8 },
  PROVIDER_TIMEOUT_SECONDS: { parse: optional(decimal(0.1, 3600)), default: none },
  ALT_TEXT_TIMEOUT_MS: { parse: integer(1, 60_000), default: 8000 },
  REFERENCE_ALLOW_HOSTS: { parse: hosts, default: [] },
  IMAGE_WAIT_MODE: { parse: choice('keepalive', 'redirect', 'block'), default: 'keepalive' },
  IMAGE_SOFT_WAIT_SECONDS: { parse: decimal(0, 3600), default: 25 },
  IMAGE_KEEPALIVE_SECONDS: { parse: decimal(0.05, 3600), default: 10 },
  IMAGE_MAX_WAIT_SECONDS: { parse: decimal(0.1, 86_400), default: 280 },
  WAITERS_PER_ADDRESS: { parse: integer(1, 1_000_000), default: 5000 },
  MAX_WAITERS: { parse: integer(1, 1_000_000), default: 20_000 },
  IMAGE_CACHE_MB: { parse: integer(0, 100_000), default: 64 },
  GENERATION_DEADLINE_HOURS: { parse: decimal(0.0001, 8760), default: 24 },
  RETRY_MAX_DELAY_SECONDS: { parse: decimal(0.01, 86_400), default: 300 },
  RETRY_UNKNOWN: { parse: flag, default: true },
  UNKNOWN_ATTEMPTS_LIMIT: { parse: integer(1, 100), default: 3 },
  LEASE_SECONDS: { parse: decimal(0.5, 3600), default: 30 },
  RETAIN_ORIGINALS_DAYS: { parse: decimal(0, 36_500), default: 30 },
  SHUTDOWN_GRACE_SECONDS: { parse: decimal(0, 3600), default: 3 },
} as const satisfies Record<string, Variable<unknown>>

function optional<T>(parse: Parser<T>): Parser<T | undefined> {
  return parse
}

function hosts(value: string): readonly string[] {
  const list = value.split(',').map((part) => part.trim().toLowerCase())
  const isTaken = (part: string) =>
    /^(\[[0-9a-f:]+\]|[a-z0-9.-]+):[1-9]\d{0,4}$/.test(part) && Number(part.split(':').at(-1)) <= 65535
  if (!list.every(isTaken)) {
    throw new FormatError('host:port pairs, such as files.intranet:8080')
  }
  return list
}

/** Settings that are planned and named in public, but do nothing in this version. */
export const FUTURE_VARIABLES = [
  'IDEOGRAM_API_KEY',
  'GEMINI_API_KEY',
  'LEONARDO_API_KEY',
  'REDIS_URL',
  'S3_BUCKET',
  'ADMIN_TOKEN',
] as const
