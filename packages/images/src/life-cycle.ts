import type { Database, Statement } from '@wombat/database'

/*
 * The states of an image and what changes them. The statements that also move money are functions of the database
 * (ledger/refund.ts, removal.ts):
 *
 *   queued -> generating    claimImage (claim.ts)
 *   generating -> ready     makeReady
 *   generating -> queued    requeueImage, and the sweep when a lease has run out
 *   queued | generating -> failed    failImage
 *   ready -> removed        eraseImage, expireImages (removal.ts)
 *
 * Each compares before it sets. All times are the database's.
 */

const RENEW: Statement = {
  name: 'renew-leases',
  text: `UPDATE images i SET lease_until = now() + make_interval(secs => $3)
         FROM unnest($1::text[], $2::int[]) AS held(id, fence)
         WHERE i.id = held.id AND i.fence = held.fence AND i.status = 'generating' RETURNING i.id`,
}

/** Prolongs the leases of a whole process in one statement; answers the ids that are still held. */
export async function renewLeases(
  db: Database,
  held: readonly { imageId: string; fence: number }[],
  leaseSeconds: number,
): Promise<Set<string>> {
  const ids = held.map(({ imageId }) => imageId)
  const fences = held.map(({ fence }) => fence)
  const rows = await db.run<{ id: string }>(RENEW, [ids, fences, leaseSeconds])
  return new Set(rows.map(({ id }) => id))
}

const READY: Statement = {
  name: 'make-ready',
  text: `WITH ready AS (
           UPDATE images SET status = 'ready', lease_owner = NULL, lease_until = NULL, finished_at = now(),
                  stored_at = now(), provider = $3, object_key = $4, content_type = $5, size_bytes = $6, sha256 = $7
           WHERE id = $1 AND fence = $2 AND status = 'generating' RETURNING id, account_id)
         SELECT pg_notify('wombat_image', id), tell_webhooks(id, account_id, 'image.finished') FROM ready`,
}

/** Publishes stored bytes, writes the messages for webhooks, and wakes who waits, in one statement. False: the claim was lost, so remove the object. */
export async function makeReady(
  db: Database,
  ready: {
    imageId: string
    fence: number
    provider: string
    objectKey: string
    contentType: string
    sizeBytes: number
    sha256: string
  },
): Promise<boolean> {
  const rows = await db.run(READY, [
    ready.imageId,
    ready.fence,
    ready.provider,
    ready.objectKey,
    ready.contentType,
    ready.sizeBytes,
    ready.sha256,
  ])
  return rows.length === 1
}

const REQUEUE: Statement = {
  name: 'requeue-image',
  text: `UPDATE images SET status = 'queued', lease_owner = NULL, lease_until = NULL,
                due_at = now() + make_interval(secs => $3), announce_at = now() + make_interval(secs => $3)
         WHERE id = $1 AND fence = $2 AND status = 'generating' RETURNING id`,
}

/** Hands a claimed image back, to be tried again after the delay. False: the claim was lost. */
export async function requeueImage(
  db: Database,
  image: { imageId: string; fence: number; delayMs: number },
): Promise<boolean> {
  const rows = await db.run(REQUEUE, [image.imageId, image.fence, image.delayMs / 1000])
  return rows.length === 1
}

export interface DueImage {
  readonly imageId: string
  readonly fence: number
}

const FIND_DUE: Statement = {
  name: 'find-due',
  text: 'SELECT image_id AS "imageId", fence FROM due_images($1, $2, $3, $4, $5)',
}

/**
 * Queued images of a model whose announcement is due. They are not found again for `againSeconds`, by any process.
 * With `lostAfterSeconds` also those that were announced, but are due for so long that their jobs must be lost: for a
 * lane in which no job waits.
 */
export async function findDue(
  db: Database,
  options: {
    model: string
    limit: number
    againSeconds: number
    lostAfterSeconds?: number | undefined
  },
): Promise<DueImage[]> {
  const { limit, againSeconds, model, lostAfterSeconds } = options
  return await db.run<DueImage>(FIND_DUE, [
    model,
    limit,
    againSeconds,
    lostAfterSeconds === undefined ? 0 : againSeconds,
    lostAfterSeconds ?? 0,
  ])
}

const FIND_OVERDUE: Statement = {
  name: 'find-overdue',
  text: 'SELECT overdue_images($1) AS id',
}

/** Queued images whose deadline has passed, whatever their model. */
export async function findOverdue(db: Database, limit: number): Promise<string[]> {
  const rows = await db.run<{ id: string }>(FIND_OVERDUE, [limit])
  return rows.map(({ id }) => id)
}

const EXPIRED_LEASES: Statement = {
  name: 'expired-leases',
  text: `UPDATE images SET status = 'queued', lease_owner = NULL, lease_until = NULL, due_at = now(), announce_at = now()
         WHERE id IN (SELECT id FROM images WHERE status = 'generating'
                        AND (lease_until < now() OR lease_owner = ANY ($1)) LIMIT 1000 FOR UPDATE SKIP LOCKED)
         RETURNING id`,
}

const LEASE_OWNERS: Statement = {
  name: 'lease-owners',
  text: `SELECT DISTINCT lease_owner FROM images WHERE status = 'generating'`,
}

/**
 * Puts images back whose holder has gone: its lease ran out, or `isDead` knows that its process is no more. Answers
 * the ids.
 */
export async function findExpiredLeases(db: Database, isDead: (owner: string) => boolean): Promise<string[]> {
  const owners = await db.run<{ lease_owner: string }>(LEASE_OWNERS, [])
  if (owners.length === 0) {
    return []
  }
  const dead = owners.map((row) => row.lease_owner).filter(isDead)
  const rows = await db.run<{ id: string }>(EXPIRED_LEASES, [dead])
  return rows.map(({ id }) => id)
}

const RETRY_NOW: Statement = {
  name: 'retry-now',
  text: `UPDATE images SET due_at = now(), announce_at = now() WHERE id = $1 AND status = 'queued' RETURNING id`,
}

/** Ends the back-off of a queued image. False: it is not queued. */
export async function retryNow(db: Database, imageId: string): Promise<boolean> {
  return (await db.run(RETRY_NOW, [imageId])).length === 1
}
