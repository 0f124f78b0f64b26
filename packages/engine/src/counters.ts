import type { Database, Statement } from '@wombat/database'
import { openRedisCounters } from '@wombat/queue'
import type { Config } from './config.ts'
import { describeError, type Logger } from './logger.ts'
import { withPatience } from './patience.ts'

/** Counts that all processes share, for limits a minute: in Redis where there is one, or else in the database. */
export interface Counters {
  /**
   * Adds one to each name and answers how many that makes in its minute. Undefined: the store is away, and the caller
   * has to do with what it has counted itself. Never throws, and never takes long.
   */
  count(names: readonly string[]): Promise<readonly Count[] | undefined>
  /** The same for what was counted before, which nobody waits for. */
  add(counts: readonly Added[]): Promise<readonly Count[] | undefined>
  close(): Promise<void>
}

export interface Count {
  readonly count: number
  /** Until the minute is over. */
  readonly resetMs: number
}

export interface Added {
  readonly name: string
  readonly by: number
}

type Add = (counts: readonly Added[]) => Promise<Count[]>

const WINDOW_MS = 60_000
/** A request waits no longer for its count. */
const PATIENCE_MS = 1_000
/** After a failure nobody waits for so long. */
const PAUSE_MS = 5_000
const FORGET_EVERY_MS = 60_000

/** In the order of their names, so that two processes never wait for each other. */
const ADD: Statement = {
  name: 'add-rate-counts',
  text: `INSERT INTO rate_counts AS c (name, count, resets_at)
         SELECT name, by, now() + $3 * interval '1 millisecond' FROM unnest($1::text[], $2::int[]) AS added (name, by) ORDER BY name
         ON CONFLICT (name) DO UPDATE SET
           count = CASE WHEN c.resets_at <= now() THEN excluded.count ELSE c.count + excluded.count END,
           resets_at = CASE WHEN c.resets_at <= now() THEN excluded.resets_at ELSE c.resets_at END
         RETURNING name, count, (extract(epoch FROM resets_at - now()) * 1000)::float8 AS "resetMs"`,
}

const FORGET: Statement = {
  name: 'forget-rate-counts',
  text: `DELETE FROM rate_counts WHERE resets_at < now() - interval '1 minute'`,
}

export async function openCounters(config: Config, db: Pick<Database, 'run'>, log: Logger): Promise<Counters> {
  if (config.REDIS_URL === undefined) {
    return gatherCounts(addInDatabase(db, log), { log, close: async () => {} })
  }
  const redis = await openRedisCounters({
    url: config.REDIS_URL,
    onError: () => {
      // The count that fails is reported.
    },
  })
  return gatherCounts((counts) => redis.add(counts, WINDOW_MS), { log, close: () => redis.close() })
}

function addInDatabase(db: Pick<Database, 'run'>, log: Logger): Add {
  let forgottenMs = performance.now()
  return async (counts) => {
    const rows = await db.run<Count & { name: string }>(ADD, [
      counts.map(({ name }) => name),
      counts.map(({ by }) => by),
      WINDOW_MS,
    ])
    if (performance.now() - forgottenMs > FORGET_EVERY_MS) {
      forgottenMs = performance.now()
      db.run(FORGET, []).catch((error: unknown) => {
        log.warn({ err: describeError(error) }, 'old counts could not be removed')
      })
    }
    const byName = new Map(rows.map((row) => [row.name, row]))
    return counts.map(({ name }) => byName.get(name) ?? { count: 0, resetMs: WINDOW_MS })
  }
}

/** What is counted while a round trip is under way goes together into the next, each with its own place in line. */
function gatherCounts(add: Add, { log, close }: { log: Logger; close: () => Promise<void> }): Counters {
  let batch = new Batch()
  let underWay: Promise<void> | undefined
  let pausedUntilMs = 0

  async function work() {
    while (batch.size > 0) {
      const current = batch
      batch = new Batch()
      await current.run(add).catch((error: unknown) => pause(error))
    }
  }

  function pause(error: unknown) {
    if (performance.now() > pausedUntilMs) {
      log.warn({ err: describeError(error) }, 'limits are counted by this process alone for a while')
    }
    pausedUntilMs = performance.now() + PAUSE_MS
  }

  return {
    async count(names) {
      if (performance.now() < pausedUntilMs) {
        return undefined
      }
      const places = names.map((name) => batch.join(name))
      underWay ??= work().finally(() => {
        underWay = undefined
      })
      const counts = await withPatience(Promise.all(places), PATIENCE_MS)
      if (counts === undefined) {
        pause(new Error(`no answer within ${PATIENCE_MS} ms`))
      }
      return counts?.every((one) => one !== undefined) === true ? counts : undefined
    },
    async add(counts) {
      if (performance.now() < pausedUntilMs) {
        return undefined
      }
      try {
        const told = await withPatience(add(counts), PATIENCE_MS)
        if (told === undefined) {
          pause(new Error(`no answer within ${PATIENCE_MS} ms`))
        }
        return told
      } catch (error) {
        pause(error)
        return undefined
      }
    },
    async close() {
      await underWay
      await close()
    },
  }
}

type Place = PromiseWithResolvers<Count | undefined>

class Batch {
  readonly #places = new Map<string, Place[]>()

  get size(): number {
    return this.#places.size
  }

  join(name: string): Promise<Count | undefined> {
    const place: Place = Promise.withResolvers()
    const places = this.#places.get(name)
    if (places === undefined) {
      this.#places.set(name, [place])
    } else {
      places.push(place)
    }
    return place.promise
  }

  /** Those who wait are always answered; throws what the store said. */
  async run(add: Add): Promise<void> {
    const entries = [...this.#places]
    let totals: Count[] = []
    try {
      totals = await add(entries.map(([name, places]) => ({ name, by: places.length })))
    } finally {
      for (const [index, [, places]] of entries.entries()) {
        const total = totals[index]
        for (const [place, { resolve }] of places.entries()) {
          resolve(total && { ...total, count: total.count - places.length + place + 1 })
        }
      }
    }
  }
}
