import type { Database, Statement } from '@wombat/database'

/** Calls of one route in the last minute that ended alike. */
export interface CallCount {
  readonly route: string
  readonly outcome: string
  readonly failure: string | null
  readonly calls: number
  readonly meanLatencyMs: number | null
}

/** Who looks once a second must not pay for a busy minute: of more calls than this only the last ones count. */
const MOST_CALLS = 10_000

const CALLS: Statement = {
  name: 'last-minute-calls',
  text: `SELECT coalesce(a.route, a.provider) AS route, a.outcome, a.failure, count(*)::int AS calls,
                avg(a.latency_ms)::float8 AS "meanLatencyMs"
         FROM (SELECT * FROM attempts ORDER BY id DESC LIMIT $1) AS a
         WHERE a.finished_at > now() - interval '1 minute'
         GROUP BY 1, 2, 3 ORDER BY 1, calls DESC`,
}

export async function countLastCalls(db: Database): Promise<CallCount[]> {
  return await db.run<CallCount>(CALLS, [MOST_CALLS])
}

const READY: Statement = {
  name: 'last-minute-ready',
  text: `SELECT i.model, count(*)::int AS images
         FROM plans p CROSS JOIN LATERAL (
           SELECT i.model FROM images i
           WHERE i.status = 'ready' AND i.plan = p.name AND i.finished_at > now() - interval '1 minute') AS i
         GROUP BY i.model`,
}

/** How many images of each model became ready in the last minute. */
export async function countLastReady(db: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await db.run<{ model: string; images: number }>(READY, [])
  return new Map(rows.map(({ model, images }) => [model, images]))
}
