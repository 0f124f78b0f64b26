import type { Database, Statement } from '@wombat/database'

export interface AttemptEnd {
  /** done: a picture came. not_sent: nothing can have been paid. refused: the upstream said no. unknown: maybe paid. */
  readonly outcome: 'done' | 'not_sent' | 'refused' | 'unknown'
  readonly failure?: string | undefined
  readonly message?: string | undefined
  readonly upstreamId?: string | undefined
  readonly usage?: Readonly<Record<string, number>> | undefined
  readonly costMicroUsd?: number | undefined
}

const OPEN: Statement = {
  name: 'open-attempt',
  text: `WITH closed AS (
           UPDATE attempts SET outcome = 'unknown', failure = 'unknown', finished_at = now(),
                  message = 'the worker ended during the call'
           WHERE image_id = $1 AND outcome IS NULL)
         INSERT INTO attempts (image_id, fence, provider, is_paid)
         SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM images WHERE id = $1 AND fence = $2 AND status = 'generating')
         RETURNING id`,
}

/**
 * Writes down a call before it is sent, and closes as unknown what an earlier worker left open. Undefined: the claim
 * was lost, so don't send.
 */
export async function openAttempt(
  db: Database,
  attempt: { imageId: string; fence: number; provider: string; isPaid: boolean },
): Promise<string | undefined> {
  const [row] = await db.run<{ id: string }>(OPEN, [attempt.imageId, attempt.fence, attempt.provider, attempt.isPaid])
  return row?.id
}

const CLOSE: Statement = {
  name: 'close-attempt',
  text: `UPDATE attempts SET outcome = $2, failure = $3, message = $4, upstream_id = $5, usage = $6, cost_micro_usd = $7,
                finished_at = now()
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
  ])
}

const COUNT: Statement = {
  name: 'count-attempts',
  text: `SELECT count(*) FILTER (WHERE outcome IS NULL OR outcome IN ('unknown', 'done'))::int AS "maybePaid",
                count(*) FILTER (WHERE failure IS DISTINCT FROM 'throttled')::int AS counted
         FROM attempts WHERE image_id = $1`,
}

/**
 * How many calls of an image may have been paid for without giving it (unknown, still open, or done and then lost),
 * and how many count for the back-off.
 */
export async function countAttempts(db: Database, imageId: string): Promise<{ maybePaid: number; counted: number }> {
  const [row] = await db.run<{ maybePaid: number; counted: number }>(COUNT, [imageId])
  return row ?? { maybePaid: 0, counted: 0 }
}
