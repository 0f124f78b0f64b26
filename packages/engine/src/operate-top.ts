import { MODELS } from '@wombat/contract'
import type { Database } from '@wombat/database'
import { countLastCalls, countLastReady, readQueueFigures } from '@wombat/images'
import { sumLastMinute } from '@wombat/ledger'
import type { Config } from './config.ts'
import { listRoutes, type RouteLine } from './operate-routes.ts'

/** How everything stands, from the database alone: whoever makes the images, and wherever. */
export interface Overview {
  readonly at: Date
  readonly models: readonly ModelLine[]
  readonly routes: readonly (RouteLine & LastCalls)[]
  /** Of the last minute, as everything that has `last` in its name. */
  readonly lastMinute: {
    readonly ordered: number
    readonly ready: number
    readonly failed: number
    readonly creditsCharged: number
    readonly creditsRefunded: number
    /** Calls that failed, by class. */
    readonly failures: Readonly<Record<string, number>>
  }
}

export interface ModelLine {
  readonly model: string
  readonly queued: number
  /** Those that could be made now. */
  readonly due: number
  readonly oldestDueSeconds: number
  readonly generating: number
  readonly lastReady: number
}

export interface LastCalls {
  readonly lastCalls: number
  readonly lastFailed: number
  readonly lastLatencyMs: number | null
}

export async function readOverview(db: Database, config: Pick<Config, 'routes' | 'SYNTHETIC'>): Promise<Overview> {
  const [queues, routes, calls, ready, movements] = await Promise.all([
    readQueueFigures(
      db,
      MODELS.map(({ id }) => id),
    ),
    listRoutes(db, config),
    countLastCalls(db),
    countLastReady(db),
    sumLastMinute(db),
  ])
  const failed = calls.filter(({ failure }) => failure !== null)
  return {
    at: new Date(),
    models: queues.map((queue) => ({ ...queue, lastReady: ready.get(queue.model) ?? 0 })),
    routes: routes.map((line) => ({ ...line, ...sumCalls(calls.filter(({ route }) => route === line.route)) })),
    lastMinute: {
      ordered: movements.charged.images,
      ready: [...ready.values()].reduce((sum, images) => sum + images, 0),
      failed: movements.refunded.images,
      creditsCharged: movements.charged.credits,
      creditsRefunded: movements.refunded.credits,
      failures: Object.fromEntries(
        [...Map.groupBy(failed, ({ failure }) => String(failure))].map(([failure, lines]) => [failure, add(lines)]),
      ),
    },
  }
}

type Calls = Awaited<ReturnType<typeof countLastCalls>>

function sumCalls(calls: Calls): LastCalls {
  const done = calls.filter(({ failure }) => failure === null)
  return {
    lastCalls: add(calls),
    lastFailed: add(calls.filter(({ failure }) => failure !== null)),
    // One line, as there is one outcome without a failure.
    lastLatencyMs: done[0]?.meanLatencyMs ?? null,
  }
}

function add(lines: Calls): number {
  return lines.reduce((sum, { calls }) => sum + calls, 0)
}
