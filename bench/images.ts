import { createHash, randomUUID } from 'node:crypto'
import { newImageId } from '@wombat/contract'
import { type Database, withClient } from '@wombat/database'
import { makeReady } from '@wombat/images'
import { FsStore } from '@wombat/store'
import sharp from 'sharp'
import type { Rig } from './rig.ts'

export interface Picture {
  readonly bytes: Buffer
  readonly width: number
  readonly height: number
}

/** A JPEG of at least so many bytes and hardly more. Noise, since what it shows matters to nobody who delivers it. */
export async function makeJpeg(sizeBytes: number): Promise<Buffer> {
  for (let side = 64; ; side += 8) {
    const noise = sharp({
      create: {
        width: side,
        height: side,
        channels: 3,
        background: '#888',
        noise: { type: 'gaussian', mean: 128, sigma: 30 },
      },
    })
    const bytes = await noise.jpeg({ quality: 85 }).toBuffer()
    if (bytes.length >= sizeBytes) {
      return bytes
    }
  }
}

/** Images that a worker, this process, has claimed and not finished. Answers their ids. */
export async function makeUnfinished(db: Database, n: number): Promise<string[]> {
  const ids = Array.from({ length: n }, newImageId)
  const requestId = randomUUID()
  const accountId = randomUUID()
  await withClient(db.url, async (client) => {
    await client.query(`INSERT INTO accounts (id, name, plan) VALUES ($1, 'bench images', 'basic')`, [accountId])
    await client.query(
      `INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt,
                             is_enhanced, reference_images)
       VALUES ($1, $2, $2, 'gpt-image-2', 'fast', 'photo', false, 1024, 1024, 'bench', false, '{}')`,
      [requestId, accountId],
    )
    await client.query(
      `INSERT INTO images (id, request_id, account_id, position, model, status, fence, lease_owner, lease_until, deadline_at)
       SELECT unnest($1::text[]), $2, $3, 0, 'gpt-image-2', 'generating', 1, 'bench', now() + interval '1 day',
              now() + interval '1 day'`,
      [ids, requestId, accountId],
    )
  })
  return ids
}

/** Stores the bytes of an unfinished image; `publish` then commits that it is ready, as a worker does. */
export async function storeImage(rig: Rig, imageId: string, jpeg: Buffer): Promise<{ publish(): Promise<void> }> {
  const objectKey = `images/${imageId.slice(3, 5)}/${imageId}/1.jpg`
  await new FsStore(`${rig.dataDir}/blobs`).put(objectKey, jpeg, 'image/jpeg')
  const sha256 = createHash('sha256').update(jpeg).digest('hex')
  return {
    async publish() {
      const isReady = await makeReady(rig.database(), {
        imageId,
        fence: 1,
        provider: 'synthetic',
        objectKey,
        contentType: 'image/jpeg',
        sizeBytes: jpeg.length,
        sha256,
      })
      if (!isReady) {
        throw new Error(`the image ${imageId} was not to be finished`)
      }
    },
  }
}
