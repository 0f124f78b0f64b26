import type { ErrorCode } from './errors.ts'

/*
 * Faults on demand, for who writes a client: a small language of words with commas between them, such as
 * `latency=5s,outage=1m,image=2`. The synthetic provider acts them out; docs/local-development.md shows each.
 */

/** The header of a POST that asks for them. */
export const SIMULATE_HEADER = 'X-Wombat-Simulate'

/** What a POST can be refused with. */
export const POST_ERRORS = [
  'payload_too_large',
  'unsupported_media_type',
  'unauthorized',
  'rate_limited',
  'invalid_json',
  'invalid_request',
  'model_unavailable',
  'account_disabled',
  'plan_required',
  'idempotency_conflict',
  'insufficient_credits',
  'internal_error',
  'overloaded',
  'shutting_down',
] as const satisfies readonly ErrorCode[]

export type PostError = (typeof POST_ERRORS)[number]

/** Without a field there is no such fault. Of the endings (moderation to wrongSize) there is at most one. */
export interface Simulation {
  /** Before each answer of the upstream, whatever that is. */
  readonly latencyMs?: number
  /** The upstream can't be reached for so long. */
  readonly outageMs?: number
  /** The operator's key or money is no good for so long. */
  readonly credentialsMs?: number
  /** The upstream asks to slow down for so long. */
  readonly throttledMs?: number
  /** How many calls end without a known outcome. */
  readonly unknown?: number
  /** How many pictures, after those calls, are damaged. */
  readonly corrupt?: number
  /** The prompt is refused for its content; empty: without a reason. */
  readonly moderation?: string
  readonly badReference?: true
  /** The upstream works for so long and then fails for good. */
  readonly lateFailureMs?: number
  readonly wrongSize?: true
  /** Only this image of the request, from 1; the others are made as usual. */
  readonly image?: number
  /** The POST itself is refused. Stands alone. */
  readonly error?: PostError
}

/** Why a text is no simulation. */
export interface SimulationFault {
  /** Completes "it takes". */
  readonly expected: string
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

const HOUR_MS = 3_600_000
const YEAR_MS = 365 * 86_400_000

/** Milliseconds of `500ms`, `5s`, `10m`, `2h` or `31d`; undefined for anything else, and for nothing at all. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text)
  const unit = UNITS.find(([name]) => name === match?.[2])?.[1]
  const ms = Number(match?.[1]) * (unit ?? Number.NaN)
  return ms > 0 && Number.isSafeInteger(ms) ? ms : undefined
}

/** The shortest text for `parseDuration`. */
export function formatDuration(ms: number): string {
  const [name, unit] = (ms === 0 ? undefined : UNITS.find(([, size]) => ms % size === 0)) ?? UNITS[3]
  return `${ms / unit}${name}`
}

interface Word {
  readonly word: string
  readonly field: keyof Simulation
  readonly example: string
  /** Completes "as"; undefined for a word that stands alone. */
  readonly takes?: string
  /** Undefined: the value can't be taken. */
  read(value: string | undefined): string | number | true | undefined
}

/** In the order in which they are written down. */
const WORDS: readonly Word[] = [
  span('latency', 'latencyMs', HOUR_MS, 'latency=5s'),
  span('outage', 'outageMs', YEAR_MS, 'outage=10m'),
  span('credentials', 'credentialsMs', YEAR_MS, 'credentials=1m'),
  span('throttled', 'throttledMs', YEAR_MS, 'throttled=30s'),
  { ...count('unknown', 'unknown', 20, 'unknown=2'), read: (value) => toCount(value ?? '1', 20) },
  { ...count('corrupt', 'corrupt', 20, 'corrupt=2'), read: (value) => toCount(value ?? '1', 20) },
  {
    word: 'moderation',
    field: 'moderation',
    example: 'moderation=violence',
    takes: 'a reason of at most 40 small letters, digits, dashes and underscores',
    read: (value) => (value === undefined || /^[a-z][a-z0-9_-]{0,39}$/.test(value) ? (value ?? '') : undefined),
  },
  flag('bad-reference', 'badReference'),
  span('late-failure', 'lateFailureMs', HOUR_MS, 'late-failure=40s'),
  flag('wrong-size', 'wrongSize'),
  count('image', 'image', 4, 'image=2'),
  {
    word: 'error',
    field: 'error',
    example: 'error=insufficient_credits',
    takes: `one of ${POST_ERRORS.join(', ')}`,
    read: (value) => POST_ERRORS.find((code) => code === value),
  },
]

const ENDINGS: readonly (keyof Simulation)[] = ['moderation', 'badReference', 'lateFailureMs', 'wrongSize']
const EXPECTED = `${WORDS.slice(0, -1)
  .map(({ example }) => example)
  .join(', ')} with commas between them, or error=CODE`

/** Reads the language strictly: each word once, and no two that contradict each other. */
export function parseSimulation(text: string): Simulation | SimulationFault {
  const values = new Map<keyof Simulation, string | number | true>()
  for (const part of text.split(',').map((one) => one.trim())) {
    const [name, ...rest] = part.split('=')
    const known = WORDS.find(({ word }) => word === name)
    if (known === undefined) {
      return { expected: EXPECTED }
    }
    const value = known.read(rest.length === 0 ? undefined : rest.join('='))
    if (value === undefined) {
      return {
        expected:
          known.takes === undefined
            ? `${known.word} without a value`
            : `${known.word} as ${known.takes}, such as ${known.example}`,
      }
    }
    if (values.has(known.field)) {
      return { expected: `${known.word} only once` }
    }
    values.set(known.field, value)
  }
  if (values.has('error') && values.size > 1) {
    return { expected: 'error only by itself' }
  }
  if (ENDINGS.filter((field) => values.has(field)).length > 1) {
    return { expected: 'only one of moderation, bad-reference, late-failure and wrong-size' }
  }
  return toSimulation(values)
}

/** The text that reads as this simulation, always the same one. */
export function formatSimulation(simulation: Simulation): string {
  return WORDS.flatMap(({ word, field }) => {
    const value = simulation[field]
    if (value === undefined) {
      return []
    }
    if (value === true || value === '') {
      return [word]
    }
    return [`${word}=${typeof value === 'number' && field.endsWith('Ms') ? formatDuration(value) : value}`]
  }).join(',')
}

/** Each word's `read` answers what its field holds. The order is that of WORDS, so that equal ones look equal. */
function toSimulation(values: ReadonlyMap<keyof Simulation, unknown>): Simulation {
  const fields = WORDS.filter(({ field }) => values.has(field)).map(({ field }) => [field, values.get(field)])
  return Object.fromEntries(fields) as Simulation
}

function span(word: string, field: keyof Simulation, mostMs: number, example: string): Word {
  return {
    word,
    field,
    example,
    takes: `a duration (500ms, 5s, 10m, 2h, 31d) of at most ${formatDuration(mostMs)}`,
    read(value) {
      const ms = parseDuration(value ?? '')
      return ms === undefined || ms > mostMs ? undefined : ms
    },
  }
}

function count(word: string, field: keyof Simulation, most: number, example: string): Word {
  return {
    word,
    field,
    example,
    takes: `a whole number from 1 to ${most}`,
    read: (value) => toCount(value ?? '', most),
  }
}

function toCount(text: string, most: number): number | undefined {
  return /^[1-9]\d?$/.test(text) && Number(text) <= most ? Number(text) : undefined
}

function flag(word: string, field: keyof Simulation): Word {
  return { word, field, example: word, read: (value) => (value === undefined ? true : undefined) }
}
