import type { Database, Statement } from '@wombat/database'

export interface AttemptEnd {
  /** done: a picture came. not_sent: nothing can have been paid. refused: the upstream said no. unknown: maybe paid. */
  readonly outcome: 'done' | 'not_sent' | 'refused' | 'unknown'
  readonly failure?: string | undefined
  readonly message?: string | undefined
  readonly upstreamId?: string | undefined
  /** From the request to the end of the upstream's answer, in milliseconds. */
  readonly latencyMs?: number | undefined
  readonly usage?: Readonly<Record<string, number>> | undefined
  readonly costMicroUsd?: number | undefined
}

const OPEN: Statement = {
  name: 'open-attempt',
  text: `WITH closed AS (
           UPDATE attempts SET outcome = 'unknown', failure = 'unknown', finished_at = now(),
                  message = 'the worker ended during the call'
           WHERE image_id = $1 AND outcome IS NULL)
         INSERT INTO attempts (image_id, fence, provider, is_paid, route)
         SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT FROM images WHERE id = $1 AND fence = $2 AND status = 'generating')
         RETURNING id`,
}

/**
 * Writes down a call before it is sent, and closes as unknown what an earlier worker left open. Undefined: the claim
 * was lost, so don't send.
 */
export async function openAttempt(
  db: Database,
  attempt: { imageId: string; fence: number; route: string; provider: string; isPaid: boolean },
): Promise<string | undefined> {
  const { imageId, fence, provider, isPaid, route } = attempt
  const [row] = await db.run<{ id: string }>(OPEN, [imageId, fence, provider, isPaid, route])
  return row?.id
}

const RESUME: Statement = {
  name: 'resume-attempt',
  text: `UPDATE attempts a SET fence = $3 FROM images i
         WHERE a.id = $1 AND a.outcome IS NULL AND i.id = $2 AND i.id = a.image_id AND i.fence = $3
           AND i.status = 'generating' RETURNING a.id`,
}

/** Goes on with an attempt whose job the upstream has. False: the claim was lost, or another worker has closed it. */
export async function resumeAttempt(
  db: Database,
  attempt: { attemptId: string; imageId: string; fence: number },
): Promise<boolean> {
  return (await db.run(RESUME, [attempt.attemptId, attempt.imageId, attempt.fence])).length === 1
}

const NOTE_JOB: Statement = {
  name: 'note-job',
  text: 'UPDATE attempts SET job_id = $2, usage = $3, cost_micro_usd = $4 WHERE id = $1 AND outcome IS NULL',
}

/** Keeps the name of the upstream's job, so that whoever has the image next asks for it instead of paying again. */
export async function noteJob(
  db: Database,
  attemptId: string,
  job: { id: string } & Pick<AttemptEnd, 'usage' | 'costMicroUsd'>,
): Promise<void> {
  const usage = job.usage === undefined ? null : JSON.stringify(job.usage)
  await db.run(NOTE_JOB, [attemptId, job.id, usage, job.costMicroUsd ?? null])
}

const CLOSE: Statement = {
  name: 'close-attempt',
  text: `UPDATE attempts SET outcome = $2, failure = $3, message = $4, upstream_id = coalesce($5, CASE WHEN job_id NOT LIKE 'http%' THEN left(job_id, 200) END),
                usage = coalesce($6, usage), cost_micro_usd = coalesce($7, cost_micro_usd), latency_ms = $8, finished_at = now()
         WHERE id = $1 AND outcome IS NULL`,
}

const MESSAGE_LENGTH = 500

export async function closeAttempt(db: Database, attemptId: string, end: AttemptEnd): Promise<void> {
  await db.run(CLOSE, [
    attemptId,
    end.outcome,
    end.failure ?? null,
    end.message?.slice(0, MESSAGE_LENGTH).replaceAll('\0', '').toWellFormed() ?? null,
    end.upstreamId ?? null,
    end.usage === undefined ? null : JSON.stringify(end.usage),
    end.costMicroUsd ?? null,
    end.latencyMs === undefined ? null : Math.round(end.latencyMs),
  ])
}

const COUNT: Statement = {
  name: 'count-attempts',
  text: `SELECT count(*) FILTER (WHERE is_paid = $2 AND (outcome IS NULL OR outcome IN ('unknown', 'done')))::int AS "maybePaid",
                count(*) FILTER (WHERE failure IS DISTINCT FROM 'throttled')::int AS counted,
                count(*) FILTER (WHERE failure = 'no_picture')::int AS "noPicture"
         FROM attempts WHERE image_id = $1`,
}

export interface AttemptCounts {
  /** Calls that may have been paid for without giving the image: unknown, still open, or done and then lost. */
  readonly maybePaid: number
  /** Those that count for the back-off. */
  readonly counted: number
  readonly noPicture: number
}

/** Counts the calls of an image, `maybePaid` among the paid ones or the free ones. */
export async function countAttempts(
  db: Database,
  imageId: string,
  options: { isPaid: boolean },
): Promise<AttemptCounts> {
  const [row] = await db.run<AttemptCounts>(COUNT, [imageId, options.isPaid])
  return row ?? { maybePaid: 0, counted: 0, noPicture: 0 }
}
