import type { Database, Statement } from '@wombat/database'

const ERASE: Statement = { name: 'erase-image', text: 'SELECT erase_image($1) AS done' }

/**
 * refunded: it was still to be made, and is called off. removed: its bytes are deleted. forgotten: there were none any
 * more, and the prompt is gone where nothing else needs it.
 */
export type Erasure = 'refunded' | 'removed' | 'forgotten'

/** Erases an image for good, but for the rows that the ledger needs. Undefined: there is no such image. */
export async function eraseImage(db: Database, imageId: string): Promise<Erasure | undefined> {
  const [row] = await db.run<{ done: Erasure | null }>(ERASE, [imageId])
  return row?.done ?? undefined
}

/** A request that is not erased yet. */
export interface ErasableRequest {
  readonly requestId: string
  /** With the id, the place to go on from. */
  readonly createdAt: string
  readonly imageIds: readonly string[]
}

const LIST: Statement = {
  name: 'list-requests-to-erase',
  text: `WITH batch AS (
           SELECT id, created_at FROM requests
           WHERE account_id = $1 AND prompt <> '' AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3::uuid))
           ORDER BY created_at, id LIMIT $4)
         SELECT b.id AS "requestId", b.created_at::text AS "createdAt",
                (SELECT array_agg(i.id ORDER BY i.position) FROM images i WHERE i.request_id = b.id) AS "imageIds"
         FROM batch b ORDER BY b.created_at, b.id`,
}

/** A batch of an account's requests, oldest first, whose prompts or images are still there. */
export async function listErasable(
  db: Database,
  options: { accountId: string; after: ErasableRequest | undefined; limit: number },
): Promise<ErasableRequest[]> {
  const { accountId, after, limit } = options
  return await db.run<ErasableRequest>(LIST, [accountId, after?.createdAt ?? null, after?.requestId ?? null, limit])
}

const EXPIRE: Statement = {
  name: 'expire-images',
  text: `WITH old AS (
           SELECT id, object_key FROM images
           WHERE status = 'ready' AND plan = $1 AND finished_at <= now() - make_interval(secs => $2)
           ORDER BY finished_at LIMIT $3 FOR UPDATE SKIP LOCKED),
         removed AS (
           UPDATE images i SET status = 'removed', object_key = NULL, sha256 = NULL, size_bytes = NULL,
                  content_type = NULL, failure_code = 'image_expired', failure_message = 'The image is past its retention.'
           FROM old WHERE i.id = old.id RETURNING i.id, old.object_key),
         garbage AS (
           INSERT INTO garbage_objects (object_key, delete_after)
           SELECT object_key, now() + make_interval(secs => $4) FROM removed
           ON CONFLICT (object_key) DO UPDATE SET delete_after = greatest(garbage_objects.delete_after, excluded.delete_after))
         SELECT id, pg_notify('wombat_image', id) FROM removed`,
}

/** Removes a batch of images of a plan that were finished so long ago; their rows stay. Answers how many. */
export async function expireImages(
  db: Database,
  options: { plan: string; olderThanSeconds: number; limit: number; removeAfterSeconds: number },
): Promise<number> {
  const { plan, olderThanSeconds, limit, removeAfterSeconds } = options
  return (await db.run(EXPIRE, [plan, olderThanSeconds, limit, removeAfterSeconds])).length
}

/** Looks at each name of a plan once, however many images it has. */
const ADOPT: Statement = {
  name: 'adopt-images',
  text: `WITH RECURSIVE names AS (
           (SELECT plan FROM images WHERE status = 'ready' ORDER BY plan LIMIT 1)
           UNION ALL
           SELECT (SELECT i.plan FROM images i WHERE i.status = 'ready' AND i.plan > n.plan ORDER BY i.plan LIMIT 1)
           FROM names n WHERE n.plan IS NOT NULL),
         orphans AS (
           SELECT i.id, i.account_id FROM names n CROSS JOIN LATERAL (
             SELECT id, account_id FROM images WHERE status = 'ready' AND plan = n.plan ORDER BY finished_at LIMIT $1) i
           WHERE NOT EXISTS (SELECT FROM plans p WHERE p.name = n.plan) LIMIT $1)
         UPDATE images i SET plan = a.plan FROM orphans o JOIN accounts a ON a.id = o.account_id
         WHERE i.id = o.id AND i.status = 'ready' RETURNING i.id`,
}

/** Puts a batch of images whose plan was deleted under the plan of their account. Answers how many. */
export async function adoptImages(db: Database, limit: number): Promise<number> {
  return (await db.run(ADOPT, [limit])).length
}

const COUNT_REFUSALS: Statement = {
  name: 'count-refusals',
  text: `SELECT count(*)::int AS refusals FROM images i JOIN requests r ON r.id = i.request_id
         WHERE i.account_id = $1 AND i.failure_code = 'moderation_refused' AND i.finished_at > now() - interval '1 hour'
           AND r.key_id = $2`,
}

/** How many images of a key were refused for their content in the last hour. */
export async function countRefusals(db: Database, key: { accountId: string; keyId: string }): Promise<number> {
  const [row] = await db.run<{ refusals: number }>(COUNT_REFUSALS, [key.accountId, key.keyId])
  return row?.refusals ?? 0
}
