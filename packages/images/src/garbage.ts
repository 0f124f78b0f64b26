import type { Database, Statement } from '@wombat/database'

const ADD: Statement = {
  name: 'add-garbage',
  text: `INSERT INTO garbage_objects (object_key, delete_after) VALUES ($1, now() + make_interval(secs => $2))
         ON CONFLICT (object_key) DO NOTHING`,
}

/** Has an object removed later: nothing points at it. */
export async function addGarbage(db: Database, objectKey: string, delaySeconds: number): Promise<void> {
  await db.run(ADD, [objectKey, delaySeconds])
}

const DUE: Statement = {
  name: 'due-garbage',
  text: `SELECT g.object_key FROM garbage_objects g
         WHERE g.delete_after <= now() AND NOT EXISTS (SELECT FROM images i WHERE i.object_key = g.object_key)
         ORDER BY g.delete_after LIMIT $1`,
}

/** Keys of objects to remove now. One that an image points at is never among them. */
export async function dueGarbage(db: Database, limit: number): Promise<string[]> {
  const rows = await db.run<{ object_key: string }>(DUE, [limit])
  return rows.map((row) => row.object_key)
}

const POSTPONE: Statement = {
  name: 'postpone-garbage',
  text: `UPDATE garbage_objects SET delete_after = now() + interval '1 hour' WHERE object_key = $1`,
}

/** After a removal that failed: it must not stand before all others. */
export async function postponeGarbage(db: Database, objectKey: string): Promise<void> {
  await db.run(POSTPONE, [objectKey])
}

const FORGET: Statement = { name: 'forget-garbage', text: 'DELETE FROM garbage_objects WHERE object_key = $1' }

/** After the object was removed from the store. */
export async function forgetGarbage(db: Database, objectKey: string): Promise<void> {
  await db.run(FORGET, [objectKey])
}

const RELEASE: Statement = { name: 'release-references', text: 'SELECT release_references($1)' }

/** Has the reference pictures that were kept for a request removed, unless one of its images is still to be made. */
export async function releaseReferences(db: Database, requestId: string): Promise<void> {
  await db.run(RELEASE, [requestId])
}

const FIND_WAITING: Statement = {
  name: 'find-waiting-references',
  text: `SELECT r.id AS "requestId", r.reference_images AS "referenceImages", i.model,
                (SELECT count(*) FROM garbage_objects g WHERE starts_with(g.object_key, $2))::int AS "objectsKept",
                extract(epoch FROM i.deadline_at - now())::float8 AS "remainingSeconds",
                EXISTS (SELECT FROM garbage_objects g WHERE g.object_key = $2 || r.id || '/0') AS "isKept"
         FROM images i JOIN requests r ON r.id = i.request_id
         WHERE i.id = $1 AND i.status = 'queued' AND cardinality(r.reference_images) > 0`,
}

export interface WaitingReferences {
  readonly requestId: string
  readonly referenceImages: readonly string[]
  readonly model: string
  /** Under the prefix, for all requests. */
  readonly objectsKept: number
  readonly remainingSeconds: number
  /** They were kept before. */
  readonly isKept: boolean
}

/** The references of an image that waits; undefined when it has none or does not wait. `prefix` is that of kept objects. */
export async function findWaitingReferences(
  db: Database,
  imageId: string,
  prefix: string,
): Promise<WaitingReferences | undefined> {
  const [row] = await db.run<WaitingReferences>(FIND_WAITING, [imageId, prefix])
  return row
}
