import { ApiError } from '@wombat/contract'
import { describeError, type Engine, type HotImage } from '@wombat/engine'
import type { FastifyReply, FastifyRequest } from 'fastify'

const YEAR_SECONDS = 31_536_000
/** A reader that takes nothing for this long is cut. */
const SLOW_READER_MS = 60_000

type Headers = Record<string, string | number>

/** 200, 206, 304 or 416 for a stored image, as RFC 9110 has it, with the bytes from memory or from the store. */
export function sendImage(engine: Engine, request: FastifyRequest, reply: FastifyReply, image: HotImage): FastifyReply {
  const headers: Headers = { ...imageHeaders(engine, image), 'x-request-id': reply.request.id }
  if (isNotModified(request, image)) {
    return sendBytes(reply, 304, headers, undefined)
  }
  headers['content-type'] = image.contentType
  const range = readRange(request, image)
  if (range === 'unsatisfiable') {
    throw new ApiError('range_not_satisfiable', 'No byte of the image lies in the range asked for.', {
      headers: { 'content-range': `bytes */${image.sizeBytes}`, 'accept-ranges': 'bytes' },
    })
  }
  const { start, end } = range ?? { start: 0, end: image.sizeBytes - 1 }
  const status = range === undefined ? 200 : 206
  headers['content-length'] = end - start + 1
  if (range !== undefined) {
    headers['content-range'] = `bytes ${start}-${end}/${image.sizeBytes}`
  }
  if (request.method === 'HEAD') {
    return sendBytes(reply, status, headers, undefined)
  }
  if (image.bytes === undefined) {
    return sendStream(engine, reply, { status, headers, image, start, end })
  }
  return sendBytes(reply, status, headers, range === undefined ? image.bytes : image.bytes.subarray(start, end + 1))
}

/** What every answer about an image says of it. */
export function imageHeaders(engine: Engine, image: HotImage): Record<string, string> {
  return {
    etag: image.etag,
    'last-modified': image.lastModified,
    'cache-control': cacheControl(engine, image),
    'accept-ranges': 'bytes',
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
    'x-provider': image.provider,
  }
}

/** A JPEG never changes under its name. A preserved PNG becomes a JPEG one day, and nobody may keep it beyond that. */
function cacheControl({ config }: Engine, image: HotImage): string {
  if (image.contentType === 'image/jpeg') {
    return `public, max-age=${YEAR_SECONDS}, immutable`
  }
  const untilMs = image.storedAtMs + config.RETAIN_ORIGINALS_DAYS * 86_400_000 - Date.now()
  return `public, max-age=${Math.min(YEAR_SECONDS, Math.max(0, Math.floor(untilMs / 1000)))}`
}

/** If-None-Match decides when it is there; else If-Modified-Since, to the second. */
function isNotModified(request: FastifyRequest, image: HotImage): boolean {
  const tags = request.headers['if-none-match']
  if (tags !== undefined) {
    return tags.trim() === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === image.etag)
  }
  const since = Date.parse(request.headers['if-modified-since'] ?? '')
  return Number.isFinite(since) && Math.floor(image.storedAtMs / 1000) * 1000 <= since
}

/** The one range that was asked for. Several ranges, another unit or an outdated If-Range mean the whole image. */
function readRange(
  request: FastifyRequest,
  image: HotImage,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(request.headers.range?.replace(/\s/g, '') ?? '')
  if (match === null || request.method === 'HEAD' || !isRangeCurrent(request.headers['if-range'], image)) {
    return undefined
  }
  const [, from = '', to = ''] = match
  if (from === '' && to === '') {
    return undefined
  }
  const last = image.sizeBytes - 1
  const start = from === '' ? Math.max(0, image.sizeBytes - Number(to)) : Number(from)
  const end = from === '' || to === '' ? last : Math.min(Number(to), last)
  if (from !== '' && to !== '' && Number(to) < start) {
    return undefined
  }
  return start > last || (from === '' && Number(to) === 0) ? 'unsatisfiable' : { start, end }
}

function isRangeCurrent(ifRange: string | string[] | undefined, image: HotImage): boolean {
  return ifRange === undefined || ifRange === image.etag || ifRange === image.lastModified
}

/** Past Fastify's own reply, which costs as much as the rest of a hot answer. */
function sendBytes(reply: FastifyReply, status: number, headers: Headers, bytes: Buffer | undefined): FastifyReply {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(status, headers)
  raw.end(bytes)
  if (raw.writableLength > 0) {
    cutSlowReader(reply)
  }
  return reply
}

/** For an answer that may still be on its way to the client. */
export function cutSlowReader({ raw }: FastifyReply): void {
  raw.setTimeout(SLOW_READER_MS, () => raw.destroy())
}

function sendStream(
  engine: Engine,
  reply: FastifyReply,
  answer: { status: number; headers: Headers; image: HotImage; start: number; end: number },
): FastifyReply {
  const { image, start, end } = answer
  reply.hijack()
  const { raw } = reply
  cutSlowReader(reply)
  const gone = new AbortController()
  raw.once('close', () => gone.abort())
  const fail = (error: unknown) => {
    engine.log.error({ imageId: image.id, err: describeError(error) }, 'image could not be read')
    raw.socket?.resetAndDestroy()
  }
  engine.store.open(image.objectKey, { range: { start, end }, signal: gone.signal }).then((stream) => {
    if (stream === undefined) {
      fail(new Error(`the object ${image.objectKey} is missing in the store`))
      return
    }
    raw.writeHead(answer.status, answer.headers)
    stream.on('error', (error) => gone.signal.aborted || fail(error))
    stream.pipe(raw)
  }, fail)
  return reply
}
