import { createHash, timingSafeEqual } from 'node:crypto'
import { ApiError } from '@wombat/contract'
import type { Engine } from '@wombat/engine'
import type { FastifyInstance, FastifyRequest } from 'fastify'

const BEARER = /^ *bearer +([^ ]+) *$/i
/** A proxy on this machine connects from here for anybody in the world. */
const PROXY_HEADERS = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'forwarded', 'via']
const OWN_ADDRESS = /^(127\.|::1$|::ffff:127\.)/

/** GET /metrics, in the text format of Prometheus: for who has METRICS_TOKEN, or without one for this machine alone. */
export function registerMetrics(app: FastifyInstance, { engine }: { engine: Engine }): void {
  const { METRICS, METRICS_TOKEN } = engine.config
  if (!METRICS) {
    return
  }
  app.get('/metrics', async (request, reply) => {
    if (METRICS_TOKEN === undefined) {
      assertOwnMachine(request)
    } else {
      assertToken(request, METRICS_TOKEN)
    }
    const { contentType, text } = await engine.metrics.write()
    reply.header('content-type', contentType).header('cache-control', 'no-store')
    return text
  })
}

function assertToken(request: FastifyRequest, token: string): void {
  const given = BEARER.exec(request.headers.authorization ?? '')?.[1] ?? ''
  if (!timingSafeEqual(digest(given), digest(token))) {
    throw refuse('Send the header "Authorization: Bearer TOKEN" with the METRICS_TOKEN of this server.')
  }
}

/** Of one length, as the comparison wants them. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function assertOwnMachine(request: FastifyRequest): void {
  const isDirect = PROXY_HEADERS.every((name) => request.headers[name] === undefined)
  if (!isDirect || !OWN_ADDRESS.test(request.socket.remoteAddress ?? '')) {
    throw refuse('Metrics are for this machine only: set METRICS_TOKEN to read them from elsewhere.')
  }
}

function refuse(message: string): ApiError {
  return new ApiError('unauthorized', message, { headers: { 'www-authenticate': 'Bearer' } })
}
