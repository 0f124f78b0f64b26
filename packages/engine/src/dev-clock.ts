import { ApiError, formatDuration, parseDuration } from '@wombat/contract'
import type { Statement } from '@wombat/database'
import type { Engine } from './engine.ts'
import { removeExpired, transcodeOriginals } from './retain.ts'
import { sweepOnce } from './sweep.ts'

/** How far the time of a server under development has been moved. */
export interface DevClock {
  /** ISO 8601. */
  readonly now: string
  /** All advances together, such as 31d. */
  readonly offset: string
}

const MOST_MS = 3_650 * 86_400_000
const EXPECTED = 'a duration of at most 3650d, such as 31d, 25h, 10m or 5s'

const READ: Statement = {
  name: 'read-dev-clock',
  text: `SELECT now() AS now, coalesce((SELECT offset_ms FROM dev_clock), 0)::float8 AS "offsetMs"`,
}

export async function readDevClock(engine: Engine): Promise<DevClock> {
  const [row] = await engine.db.run<{ now: Date; offsetMs: number }>(READ, [])
  const { now, offsetMs } = row ?? { now: new Date(), offsetMs: 0 }
  return { now: new Date(now.getTime() + offsetMs).toISOString(), offset: formatDuration(offsetMs) }
}

const ADVANCE: Statement = { name: 'advance-dev-clock', text: 'SELECT advance_dev_clock($1) AS "isAdvanced"' }

/**
 * Makes time pass for all that the rows know, by moving their times into the past, and does at once what is due then.
 * Limits a minute, leases of work under way and the ledger stay as they are. Throws ApiError for a bad body.
 */
export async function advanceDevClock(engine: Engine, body: unknown, signal: AbortSignal): Promise<DevClock> {
  const [row] = await engine.db.run<{ isAdvanced: boolean }>(ADVANCE, [readAdvance(body)])
  if (row?.isAdvanced !== true) {
    throw badAdvance('so long that all advances together are at most 36500d')
  }
  forget(engine)
  await removeExpired(engine, signal)
  await transcodeOriginals(engine, signal)
  await sweepOnce(engine)
  // Their own notifications are on the way, but who asks next must see it already.
  forget(engine)
  const clock = await readDevClock(engine)
  engine.log.warn(clock, 'time was moved')
  return clock
}

function forget(engine: Engine): void {
  engine.images.clear()
  engine.keys.clear()
}

function readAdvance(body: unknown): number {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiError('invalid_request', 'The body must be a JSON object such as {"advance":"31d"}.', {
      details: { field: 'body', expected: 'a JSON object such as {"advance":"31d"}' },
    })
  }
  const advance = 'advance' in body ? body.advance : undefined
  const ms = typeof advance === 'string' ? parseDuration(advance) : undefined
  if (ms === undefined || ms > MOST_MS) {
    throw badAdvance(EXPECTED)
  }
  return ms
}

function badAdvance(expected: string): ApiError {
  return new ApiError('invalid_request', `advance must be ${expected}.`, { details: { field: 'advance', expected } })
}
