import { formatSimulation, SIMULATE_HEADER, TAGS_HEADER } from '@wombat/contract'
import { assertAddressAllowed, type Engine, priceRequest, type RequestAnswer, requestImages } from '@wombat/engine'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Limiters } from '../plugins/limiters.ts'
import { admit, mayWish, readOrder, readWish } from '../plugins/simulation.ts'
import { readTags } from '../plugins/tags.ts'

/** POST /api/image-generation/: the checks in the order of the contract, then the flow. */
export function registerImageGeneration(app: FastifyInstance, parts: { engine: Engine; limiters: Limiters }): void {
  const { engine } = parts
  app.post('/api/image-generation/', async (request, reply) => {
    const wish = readWish(request, engine)
    const key = await admit(request, reply, { ...parts, wish })
    const order = readOrder(request, engine, wish)
    assertAddressAllowed(key, request.ip)
    const tags = readTags(request)
    const idempotencyKey = readIdempotencyKey(request)
    if (isDryRun(request)) {
      const priced = await priceRequest(engine, key, order, idempotencyKey)
      setHeaders(reply, { ...priced, creditsCharged: 0, creditsRemaining: priced.balance, isReplayed: false })
      return JSON.stringify(priced)
    }
    const answer = await requestImages(engine, key, order, { idempotencyKey, tags, requestId: request.id })
    setHeaders(reply, answer)
    engine.log.info(
      {
        ...engine.tracing.ids(request.id),
        accountId: key.accountId,
        keyId: key.keyId,
        model: order.model,
        images: answer.images.length,
        credits: answer.creditsCharged,
        ...(answer.isReplayed ? { replayed: true } : {}),
        ...(order.simulation === undefined ? {} : { simulate: formatSimulation(order.simulation) }),
      },
      'images requested',
    )
    return JSON.stringify(answer.images)
  })
  const allowHeaders = [
    ...['Authorization', 'Content-Type', 'Idempotency-Key', TAGS_HEADER],
    ...(mayWish(engine) ? [SIMULATE_HEADER] : []),
  ]
  app.options('/api/image-generation/', async (_request, reply) => {
    reply.status(204).headers({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST, OPTIONS',
      'access-control-allow-headers': allowHeaders.join(', '),
      'access-control-max-age': '86400',
    })
  })
}

function readIdempotencyKey({ headers }: FastifyRequest): string | undefined {
  const given = headers['idempotency-key']
  return Array.isArray(given) ? given.join(', ') : given
}

/** Only this: whatever else stands in the query never matters, so that nobody gets no images by accident. */
function isDryRun({ url }: FastifyRequest): boolean {
  return /\?dryRun=(1|true)$/.test(url)
}

function setHeaders(reply: FastifyReply, answer: Omit<RequestAnswer, 'images'>): void {
  reply.headers({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    'access-control-expose-headers':
      'X-Request-Id, X-Credits-Charged, X-Credits-Remaining, X-Effective-Size, X-Effective-Quality, X-Ignored-Params, ' +
      'X-Provider, Idempotent-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset',
    'x-credits-charged': answer.creditsCharged,
    'x-credits-remaining': answer.creditsRemaining,
    'x-effective-size': answer.size,
    'x-effective-quality': answer.quality,
    'x-provider': answer.provider,
  })
  if (answer.isReplayed) {
    reply.header('idempotent-replayed', 'true')
  }
  if (answer.ignoredParams.length > 0) {
    reply.header('x-ignored-params', answer.ignoredParams.map(toHeaderText).join(', '))
  }
}

/** A field's name is the client's text: what a header can't carry becomes a question mark. */
function toHeaderText(name: string): string {
  return name.replace(/[^\x21-\x2b\x2d-\x7e]/g, '?')
}
