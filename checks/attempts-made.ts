import { query } from './image-tools.ts'

export interface MadeAttempt {
  readonly imageId: string
  readonly route: string
  readonly outcome: string | null
  readonly failure: string | null
  readonly jobId: string | null
  /** Seconds since the first attempt of all. */
  readonly startedAt: number
  readonly finishedAt: number | null
  readonly latencyMs: number | null
}

/** Every call of an upstream that the server wrote down, in the order of their beginnings. */
export async function attemptsMade(databaseUrl: string, imageId?: string): Promise<MadeAttempt[]> {
  return (await query(
    databaseUrl,
    `SELECT image_id AS "imageId", route, outcome, failure, job_id AS "jobId", latency_ms AS "latencyMs",
            extract(epoch FROM started_at - min(started_at) OVER ())::float8 AS "startedAt",
            extract(epoch FROM finished_at - min(started_at) OVER ())::float8 AS "finishedAt"
     FROM attempts WHERE $1::text IS NULL OR image_id = $1 ORDER BY started_at, id`,
    [imageId ?? null],
  )) as MadeAttempt[]
}

/** Such as "b done", "a not_sent transient". */
export function inWords({ route, outcome, failure }: MadeAttempt): string {
  return [route, outcome, failure].filter((word) => word !== null).join(' ')
}

/** How many of the calls were under way at the same moment, at most. */
export function mostAtOnce(attempts: readonly MadeAttempt[]): number {
  return Math.max(
    ...attempts.map(
      ({ startedAt }) =>
        attempts.filter((other) => other.startedAt <= startedAt && (other.finishedAt ?? Infinity) > startedAt).length,
    ),
  )
}
