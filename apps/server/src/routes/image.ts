import { ApiError, parseImageName } from '@wombat/contract'
import { awaitImage, type Engine, type FoundImage, imageStatus, toErrorCode } from '@wombat/engine'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Limiters } from '../plugins/limiters.ts'
import { createHolder, type Holder } from './hold.ts'
import { keepAlive } from './keep-alive.ts'
import { sendImage } from './send-image.ts'

interface Parts {
  readonly engine: Engine
  readonly limiters: Limiters
  /** When this server stops: whether others answer at the same address. */
  readonly hasOthers: () => boolean
}

type ImageRequest = FastifyRequest<{ Params: { name: string } }>

const MOST_HOPS = 8

/** GET and HEAD /api/image/:name, which hold the request until the image exists, and its status. */
export function registerImage(app: FastifyInstance, parts: Parts): void {
  const holder = createHolder(parts.engine.config)
  const answer = async (request: ImageRequest, reply: FastifyReply) => {
    const name = parseImageName(request.params.name)
    const hot = name === undefined || name.wantsStatus ? undefined : parts.engine.images.peek(name.id)
    if (hot !== undefined) {
      return sendImage(parts.engine, request, reply, hot)
    }
    if (name === undefined) {
      throw await notFound(request, parts)
    }
    return name.wantsStatus
      ? await answerStatus(parts, request, reply, name.id)
      : await answerImage(parts, holder, request, reply, name.id)
  }
  app.get<{ Params: { name: string } }>('/api/image/:name', answer)
  app.head<{ Params: { name: string } }>('/api/image/:name', answer)
  app.options('/api/image/:name', async (_request, reply) => {
    reply.status(204).headers({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, DELETE, OPTIONS',
      'access-control-allow-headers': 'Authorization, Range, If-None-Match, If-Modified-Since, If-Range',
      'access-control-max-age': '86400',
    })
  })
}

async function answerStatus(
  { engine, limiters }: Pick<Parts, 'engine' | 'limiters'>,
  request: ImageRequest,
  reply: FastifyReply,
  imageId: string,
) {
  const status = await imageStatus(engine, imageId)
  if (status === undefined) {
    throw await notFound(request, { limiters })
  }
  return reply
    .headers({
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
    })
    .send(status)
}

async function answerImage(parts: Parts, holder: Holder, request: ImageRequest, reply: FastifyReply, imageId: string) {
  const { engine } = parts
  let found = await engine.images.find(imageId)
  if (found.status === 'pending') {
    // Counted only while it is held, so that the many quick ones don't take a place.
    using _place = holder.enter(request.ip)
    const gone = goneSignal(reply)
    found = await awaitImage(engine, imageId, firstWaitMs(engine), { gone, isBegun: false })
    if (gone.aborted) {
      return reply.hijack()
    }
    if (found.status === 'pending' && engine.isStopping) {
      return sendToOthers(parts, request, reply)
    }
    if (found.status === 'pending' && mayKeepAlive(engine, request, found)) {
      return await keepAlive(engine, reply, imageId, gone)
    }
  }
  return await answerFound(parts, request, reply, found)
}

async function answerFound(
  parts: Parts,
  request: ImageRequest,
  reply: FastifyReply,
  found: FoundImage,
): Promise<FastifyReply> {
  switch (found.status) {
    case 'ready':
      return sendImage(parts.engine, request, reply, found.image)
    case 'failed':
      throw new ApiError(toErrorCode(found.code), found.message, { details: { refunded: found.isRefunded } })
    case 'unknown':
      throw await notFound(request, parts)
    case 'pending':
      return sendElsewhere(parts.engine, request, reply)
  }
}

function firstWaitMs({ config }: Engine): number {
  return (config.IMAGE_WAIT_MODE === 'block' ? config.IMAGE_MAX_WAIT_SECONDS : config.IMAGE_SOFT_WAIT_SECONDS) * 1000
}

/** A body that has begun can't change its type any more, and must be of one piece. */
function mayKeepAlive({ config }: Engine, request: ImageRequest, found: FoundImage & { status: 'pending' }): boolean {
  return (
    config.IMAGE_WAIT_MODE === 'keepalive' &&
    !found.isOriginalPreserved &&
    request.method === 'GET' &&
    request.headers.range === undefined &&
    request.raw.httpVersion !== '1.0'
  )
}

/** A path that ends in a slash: what is relative to it begins one level deeper. */
const SLASHED = /^[^?]*\/(\?|$)/

function hopsOf({ url }: ImageRequest): number {
  return Number(/[?&]wait=([1-8])(?:&|$)/.exec(url)?.[1] ?? 0)
}

/** Sends the client to the same address once more, so that no proxy's limit on one answer ends the wait. */
function sendElsewhere({ config }: Engine, request: ImageRequest, reply: FastifyReply): FastifyReply {
  const hops = hopsOf(request)
  if (config.IMAGE_WAIT_MODE === 'block' || hops >= MOST_HOPS) {
    throw new ApiError('image_pending', 'The image is not ready yet. Ask for it again.', {
      retryAfterSeconds: 5 + Math.floor(Math.random() * 10),
    })
  }
  return reply
    .status(302)
    .headers({
      location: `${SLASHED.test(request.url) ? '../' : ''}${request.params.name}?wait=${hops + 1}`,
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    })
    .send()
}

/** A client follows a redirect, and hardly any repeats after a 503: so there only where nobody else would answer. */
function sendToOthers({ engine, hasOthers }: Parts, request: ImageRequest, reply: FastifyReply): FastifyReply {
  if (hasOthers() && engine.config.IMAGE_WAIT_MODE !== 'block' && hopsOf(request) < MOST_HOPS) {
    return sendElsewhere(engine, request, reply)
  }
  throw new ApiError('shutting_down', 'The server is restarting. Ask for the image again in a moment.', {
    retryAfterSeconds: 2,
  })
}

async function notFound(request: ImageRequest, { limiters }: Pick<Parts, 'limiters'>): Promise<ApiError> {
  await limiters.notFound.countFailure(request.ip)
  return new ApiError('not_found', 'There is no image with this id.')
}

/** Aborts when the connection ends before the answer does. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}
