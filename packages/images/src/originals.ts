import type { Database, Statement } from '@wombat/database'

/** A preserved PNG whose time is over. */
export interface OldOriginal {
  readonly imageId: string
  readonly objectKey: string
}

const FIND: Statement = {
  name: 'find-originals',
  text: `SELECT id, object_key FROM images
         WHERE status = 'ready' AND content_type = 'image/png' AND stored_at <= now() - make_interval(secs => $1)
           AND NOT (id = ANY ($3))
         ORDER BY stored_at LIMIT $2`,
}

/** Oldest first, without those that failed before in this run. */
export async function findOriginals(
  db: Database,
  options: { olderThanSeconds: number; limit: number; except: readonly string[] },
): Promise<OldOriginal[]> {
  const rows = await db.run<{ id: string; object_key: string }>(FIND, [
    options.olderThanSeconds,
    options.limit,
    options.except,
  ])
  return rows.map((row) => ({ imageId: row.id, objectKey: row.object_key }))
}

const REPLACE: Statement = {
  name: 'replace-original',
  text: `WITH replaced AS (
           UPDATE images SET object_key = $3, content_type = 'image/jpeg', size_bytes = $4, sha256 = $5, stored_at = now()
           WHERE id = $1 AND object_key = $2 AND status = 'ready' RETURNING id),
         garbage AS (
           INSERT INTO garbage_objects (object_key, delete_after)
           SELECT $2, now() + make_interval(secs => $6) FROM replaced
           ON CONFLICT (object_key) DO UPDATE SET delete_after = greatest(garbage_objects.delete_after, excluded.delete_after))
         SELECT pg_notify('wombat_image', id) FROM replaced`,
}

/**
 * Points the image at its JPEG and has the PNG removed later, in one statement. False: somebody else did it before,
 * under the same key.
 */
export async function replaceOriginal(
  db: Database,
  replacement: {
    imageId: string
    from: string
    to: string
    sizeBytes: number
    sha256: string
    removeAfterSeconds: number
  },
): Promise<boolean> {
  const { imageId, from, to, sizeBytes, sha256, removeAfterSeconds } = replacement
  return (await db.run(REPLACE, [imageId, from, to, sizeBytes, sha256, removeAfterSeconds])).length === 1
}

const FIND_SIZE: Statement = {
  name: 'find-promised-size',
  text: 'SELECT r.width, r.height FROM images i JOIN requests r ON r.id = i.request_id WHERE i.id = $1',
}

/** The size that the POST promised, in pixels. */
export async function findPromisedSize(
  db: Database,
  imageId: string,
): Promise<{ width: number; height: number } | undefined> {
  const [row] = await db.run<{ width: number; height: number }>(FIND_SIZE, [imageId])
  return row
}
