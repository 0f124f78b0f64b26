import type { Database } from '@wombat/database'
import { type PictureType, pictureType, type Reference } from '@wombat/generation'
import { addGarbage } from '@wombat/images'
import type { BlobStore } from '@wombat/store'

/**
 * Reference pictures of requests that have to wait: a link that a client sent may be dead when the upstream is back. They
 * are kept until the request is done, at the latest until its deadline is over.
 */
export interface ReferenceArchive {
  /** Undefined unless all of them are there. */
  read(requestId: string, count: number): Promise<Reference[] | undefined>
  keep(requestId: string, pictures: readonly Reference[], forSeconds: number): Promise<void>
}

/** They outlive the deadline by this, for the last attempt may still be under way. */
const SLACK_SECONDS = 3600
/** The type is in the bytes; a name without an extension is the same for all. */
const CONTENT_TYPE: PictureType = 'image/png'

export function openReferenceArchive(db: Database, store: BlobStore): ReferenceArchive {
  return {
    async read(requestId, count) {
      const pictures: Reference[] = []
      for (const key of keysOf(requestId, count)) {
        const bytes = await store.read(key)
        const contentType = bytes && pictureType(bytes)
        if (bytes === undefined || contentType === undefined) {
          return undefined
        }
        pictures.push({ bytes, contentType })
      }
      return pictures
    },
    async keep(requestId, pictures, forSeconds) {
      for (const [index, key] of keysOf(requestId, pictures.length).entries()) {
        // First the note that it is to go, so that a kill in between leaves nothing for ever.
        await addGarbage(db, key, Math.max(0, forSeconds) + SLACK_SECONDS)
        await store.put(key, pictures[index]?.bytes ?? Buffer.alloc(0), CONTENT_TYPE)
      }
    },
  }
}

/** Before the id of the request and the place of the picture. */
export const KEPT_PREFIX = 'images/references/'

function keysOf(requestId: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${KEPT_PREFIX}${requestId}/${index}`)
}
