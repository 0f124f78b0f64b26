import type { Engine } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'

const ORDER_ROUTE = '/api/image-generation/'

/**
 * Counts and times every request that the router sees, when its answer has ended or its connection has. A POST is the
 * beginning of a trace.
 */
export function registerCounting(app: FastifyInstance, { metrics, tracing }: Engine): void {
  app.addHook('onResponse', (request, reply, done) => {
    metrics.countHttp({
      method: request.method,
      route: request.routeOptions.url,
      status: reply.raw.statusCode,
      seconds: reply.elapsedTime / 1000,
    })
    if (request.method === 'POST' && request.routeOptions.url === ORDER_ROUTE) {
      const { traceparent } = request.headers
      tracing.record({
        name: 'http.request',
        subject: { requestId: request.id },
        startMs: Date.now() - reply.elapsedTime,
        attributes: {
          'http.request.method': request.method,
          'http.route': ORDER_ROUTE,
          'http.response.status_code': reply.raw.statusCode,
        },
        isError: reply.raw.statusCode >= 500,
        cameFrom: typeof traceparent === 'string' ? traceparent : undefined,
      })
    }
    done()
  })
}
