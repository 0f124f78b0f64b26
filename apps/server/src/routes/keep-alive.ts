import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { awaitImage, describeError, type Engine, type FoundImage } from '@wombat/engine'
import type { FastifyReply } from 'fastify'
import { cutSlowReader } from './send-image.ts'

/** SOI and a JFIF header of version 1.01 without density: what every JPEG may begin with. */
const JPEG_BEGIN = Buffer.from([
  0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00,
  0x00,
])
/** A comment without text. Bare FF fill bytes would be shorter, but some readers refuse them. */
const EMPTY_COMMENT = Buffer.from([0xff, 0xfe, 0x00, 0x02])
const SOI_BYTES = 2
/** A look that fails is repeated after this pause, and for about five minutes. */
const FAULT_PAUSE_MS = 1_000
const MOST_FAULTS_IN_A_ROW = 300

/**
 * Begins the JPEG before it exists and adds empty comments until it does, so that no proxy's limit on silence cuts the
 * wait. When it fails after all, the connection is reset: a plain close reaches a client behind nginx as a complete
 * picture of a few bytes.
 */
export async function keepAlive(
  engine: Engine,
  reply: FastifyReply,
  imageId: string,
  gone: AbortSignal,
): Promise<FastifyReply> {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    'content-type': 'image/jpeg',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
    'x-request-id': reply.request.id,
  })
  raw.write(JPEG_BEGIN)
  try {
    const bytes = await awaitBytes(engine, raw, imageId, gone)
    if (bytes !== undefined) {
      raw.end(bytes.subarray(SOI_BYTES))
      cutSlowReader(reply)
      return reply
    }
  } catch (error) {
    engine.log.warn({ imageId, err: describeError(error) }, 'held request could not be answered')
  }
  raw.socket?.resetAndDestroy()
  return reply
}

/** Writes a comment at each tick until the image is there. Undefined: it will not come, or nobody waits any more. */
async function awaitBytes(
  engine: Engine,
  raw: ServerResponse,
  imageId: string,
  gone: AbortSignal,
): Promise<Buffer | undefined> {
  const everyMs = engine.config.IMAGE_KEEPALIVE_SECONDS * 1000
  for (let faults = 0; !gone.aborted && faults < MOST_FAULTS_IN_A_ROW; ) {
    const found = await look(engine, imageId, everyMs, gone)
    if (found?.status === 'ready' && found.image.contentType === 'image/jpeg') {
      return found.image.bytes ?? (await engine.store.read(found.image.objectKey))
    }
    if (found !== undefined && found.status !== 'pending') {
      return undefined
    }
    faults = found === undefined ? faults + 1 : 0
    raw.write(EMPTY_COMMENT)
  }
  return undefined
}

/** Undefined: the database could not be asked just now. It may be restarting, and the image is still to come. */
async function look(
  engine: Engine,
  imageId: string,
  waitMs: number,
  gone: AbortSignal,
): Promise<FoundImage | undefined> {
  try {
    return await awaitImage(engine, imageId, waitMs, { gone, isBegun: true })
  } catch (error) {
    engine.log.warn({ imageId, err: describeError(error) }, 'held request looks again in a moment')
    await sleep(Math.min(waitMs, FAULT_PAUSE_MS), undefined, { signal: gone }).catch(() => {
      // The client went away: the loop ends.
    })
    return undefined
  }
}
