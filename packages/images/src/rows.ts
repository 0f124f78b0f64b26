import type { Database, Statement } from '@wombat/database'

/** What a GET needs to know of an image. */
export interface ImageRow {
  readonly id: string
  readonly status: 'queued' | 'generating' | 'ready' | 'failed' | 'removed'
  readonly isOriginalPreserved: boolean
  readonly provider: string | null
  readonly objectKey: string | null
  readonly contentType: string | null
  readonly sizeBytes: number | null
  readonly sha256: string | null
  readonly storedAt: Date | null
  readonly failureCode: string | null
  readonly failureMessage: string | null
}

const COLUMNS = `i.id, i.status, i.is_original_preserved AS "isOriginalPreserved", i.provider,
  i.object_key AS "objectKey", i.content_type AS "contentType", i.size_bytes AS "sizeBytes", i.sha256,
  i.stored_at AS "storedAt", i.failure_code AS "failureCode", i.failure_message AS "failureMessage"`

const FIND: Statement = { name: 'find-image', text: `SELECT ${COLUMNS} FROM images i WHERE i.id = $1` }

export async function findImage(db: Database, imageId: string): Promise<ImageRow | undefined> {
  const [row] = await db.run<ImageRow>(FIND, [imageId])
  return row
}

const FIND_OWNED: Statement = {
  name: 'find-owned-image',
  text: `SELECT account_id AS "accountId", status, failure_code AS "failureCode" FROM images WHERE id = $1`,
}

export interface OwnedImage {
  readonly accountId: string
  readonly status: ImageRow['status']
  readonly failureCode: string | null
}

/** Whose an image is, and how it stands. */
export async function findOwnedImage(db: Database, imageId: string): Promise<OwnedImage | undefined> {
  const [row] = await db.run<OwnedImage>(FIND_OWNED, [imageId])
  return row
}

export type FinishedRow = Pick<ImageRow, 'id'>

const FIND_FINISHED: Statement = {
  name: 'find-finished',
  text: `SELECT id FROM images WHERE id = ANY ($1) AND status IN ('ready', 'failed', 'removed')`,
}

/** Which of many images are done: one statement for all who wait in a process. */
export async function findFinished(db: Database, imageIds: readonly string[]): Promise<string[]> {
  const rows = await db.run<FinishedRow>(FIND_FINISHED, [imageIds])
  return rows.map(({ id }) => id)
}

export interface ImageStatusRow extends ImageRow {
  readonly alt: string
  readonly width: number
  readonly height: number
  readonly finalPrompt: string | null
  readonly model: string
  readonly quality: string
  readonly ageSeconds: number
  /** Images of its model that wait and are due before this one; counted up to a limit. */
  readonly ahead: number
}

const FIND_STATUS: Statement = {
  name: 'find-image-status',
  text: `SELECT ${COLUMNS},
           r.alt, r.width, r.height, r.final_prompt AS "finalPrompt", i.model, r.quality,
           extract(epoch FROM now() - i.created_at)::float8 AS "ageSeconds",
           CASE WHEN i.status = 'queued' THEN count_ahead(i.model, i.due_at, 1000) ELSE 0 END AS ahead
         FROM images i JOIN requests r ON r.id = i.request_id WHERE i.id = $1`,
}

export async function findImageStatus(db: Database, imageId: string): Promise<ImageStatusRow | undefined> {
  const [row] = await db.run<ImageStatusRow>(FIND_STATUS, [imageId])
  return row
}

const FIND_REQUEST_IMAGES: Statement = {
  name: 'find-request-images',
  text: `SELECT i.id, r.alt FROM images i JOIN requests r ON r.id = i.request_id WHERE i.request_id = $1 ORDER BY i.position`,
}

/** The images of a request in their order, for the replay of an answer. */
export async function findRequestImages(db: Database, requestId: string): Promise<{ id: string; alt: string }[]> {
  return await db.run<{ id: string; alt: string }>(FIND_REQUEST_IMAGES, [requestId])
}

/** Everything that an operator may want to see of one image, its attempts included. */
export async function findImageDetails(db: Database, imageId: string) {
  return await db.prisma.image.findUnique({
    where: { id: imageId },
    include: { request: true, attempts: { orderBy: { id: 'asc' } } },
  })
}

export type ImageDetails = NonNullable<Awaited<ReturnType<typeof findImageDetails>>>

export interface ImageFilter {
  readonly accountId?: string | undefined
  readonly status?: string | undefined
  readonly model?: string | undefined
  /** Ordered from this moment on, and before that one. */
  readonly since?: Date | undefined
  readonly until?: Date | undefined
  /** Only what comes behind this one. */
  readonly after?: { readonly at: Date; readonly id: string } | undefined
  readonly limit: number
}

/** Newest first. */
export async function listImages(db: Database, { since, until, after, limit, ...equal }: ImageFilter) {
  const given = Object.entries(equal).filter(([, value]) => value !== undefined)
  return await db.prisma.image.findMany({
    where: {
      ...Object.fromEntries(given),
      createdAt: { ...(since && { gte: since }), ...(until && { lt: until }) },
      ...(after && { OR: [{ createdAt: { lt: after.at } }, { createdAt: after.at, id: { lt: after.id } }] }),
    },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    take: limit,
    include: { request: { select: { prompt: true, quality: true, width: true, height: true } } },
  })
}

const FIND_REPLAY: Statement = {
  name: 'find-replay',
  text: `SELECT FROM idempotency_keys
         WHERE account_id = $1 AND key_hash = decode($2, 'hex') AND created_at > now() - interval '24 hours'`,
}

/** True when this idempotency key (its SHA-256 in hexadecimal) is known. Only for sparing work. */
export async function findReplay(db: Database, accountId: string, keyHash: string): Promise<boolean> {
  return (await db.run(FIND_REPLAY, [accountId, keyHash])).length > 0
}

const MATCH_REPLAY: Statement = {
  name: 'match-replay',
  text: `SELECT body_hash = decode($3, 'hex') AS "isSame" FROM idempotency_keys
         WHERE account_id = $1 AND key_hash = decode($2, 'hex') AND created_at > now() - interval '24 hours'`,
}

/** Whether an idempotency key was used with this body; undefined when it was not used. Hashes in hexadecimal. */
export async function matchReplay(
  db: Database,
  accountId: string,
  { keyHash, bodyHash }: { keyHash: string; bodyHash: string },
): Promise<boolean | undefined> {
  const [row] = await db.run<{ isSame: boolean }>(MATCH_REPLAY, [accountId, keyHash, bodyHash])
  return row?.isSame
}

// By their places, which are locked: a join with the table would look cheap to the planner and read all of it.
const REMOVE_OLD_KEYS: Statement = {
  name: 'remove-old-idempotency-keys',
  text: `DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '24 hours'
           ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED))
         RETURNING request_id`,
}

/** Removes a batch of keys that count no more; answers how many. */
export async function removeOldIdempotencyKeys(db: Database, limit: number): Promise<number> {
  return (await db.run(REMOVE_OLD_KEYS, [limit])).length
}
