import { type Database, type Statement, withClient } from '@wombat/database'

/** A ready image, as the store must have it. */
export interface StoredImage {
  readonly imageId: string
  readonly accountId: string
  readonly objectKey: string
  readonly contentType: string
  readonly sizeBytes: number
  readonly sha256: string
}

const COLUMNS = `id AS "imageId", account_id::text AS "accountId", object_key AS "objectKey", content_type AS "contentType",
                 size_bytes AS "sizeBytes", sha256`

const LIST: Statement = {
  name: 'list-stored-images',
  text: `SELECT ${COLUMNS} FROM images WHERE status = 'ready' AND id > $1 ORDER BY id LIMIT $2`,
}

/** A batch of the ready images behind an id, by their ids. */
export async function listStoredImages(
  db: Database,
  { after, limit }: { after: string; limit: number },
): Promise<StoredImage[]> {
  return await db.run<StoredImage>(LIST, [after, limit])
}

const FIND: Statement = {
  name: 'find-stored-images',
  text: `SELECT ${COLUMNS} FROM images WHERE object_key = ANY ($1) AND status = 'ready'`,
}

/** The images that these objects are, by their keys. */
export async function findStoredImages(db: Database, keys: readonly string[]): Promise<Map<string, StoredImage>> {
  const rows = await db.run<StoredImage>(FIND, [keys])
  return new Map(rows.map((row) => [row.objectKey, row]))
}

const COUNT = `SELECT count(*)::float8 AS images, coalesce(sum(size_bytes), 0)::float8 AS bytes FROM images WHERE status = 'ready'`

/** Reads all images, for commands that go through them anyway: on a connection of its own, without a limit of time. */
export async function countStoredImages(db: Database): Promise<{ images: number; bytes: number }> {
  return await withClient(db.url, async (client) => {
    await client.query('SET statement_timeout = 0')
    const { rows } = await client.query(COUNT)
    return rows[0] ?? { images: 0, bytes: 0 }
  })
}

const FIND_UNNAMED: Statement = {
  name: 'find-unnamed-objects',
  text: `SELECT k.key FROM unnest($1::text[]) AS k (key)
         WHERE NOT EXISTS (SELECT FROM images i WHERE i.object_key = k.key)
           AND NOT EXISTS (SELECT FROM garbage_objects g WHERE g.object_key = k.key)
           AND NOT EXISTS (
             SELECT FROM images i WHERE i.id = split_part(k.key, '/', 3)
               AND (i.status IN ('queued', 'generating') OR (i.status = 'ready' AND i.content_type = 'image/png')))`,
}

/**
 * Those of the keys that no row names. An image that is being made, or that is to be transcoded, keeps all that lies under
 * its id: its row may name it in a moment.
 */
export async function findUnnamedObjects(db: Database, keys: readonly string[]): Promise<string[]> {
  return (await db.run<{ key: string }>(FIND_UNNAMED, [keys])).map(({ key }) => key)
}

const GIVE_UP: Statement = {
  name: 'give-up-image',
  text: `WITH lost AS (
           UPDATE images SET status = 'removed', object_key = NULL, sha256 = NULL, size_bytes = NULL, content_type = NULL,
                  failure_code = 'image_expired', failure_message = 'The stored bytes of the image were lost.'
           WHERE id = $1 AND object_key = $2 AND status = 'ready' RETURNING id),
         garbage AS (
           INSERT INTO garbage_objects (object_key, delete_after) SELECT $2, now() FROM lost ON CONFLICT (object_key) DO NOTHING)
         SELECT pg_notify('wombat_image', id) FROM lost`,
}

/** Its address answers 410 from now on; nothing is given back. False: the image is another one meanwhile. */
export async function giveUpImage(
  db: Database,
  { imageId, objectKey }: { imageId: string; objectKey: string },
): Promise<boolean> {
  return (await db.run(GIVE_UP, [imageId, objectKey])).length === 1
}
