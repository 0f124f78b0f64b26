import type { Engine } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'

/** Counts and times every request that the router sees, when its answer has ended or its connection has. */
export function registerCounting(app: FastifyInstance, { metrics }: Engine): void {
  app.addHook('onResponse', (request, reply, done) => {
    metrics.countHttp({
      method: request.method,
      route: request.routeOptions.url,
      status: reply.raw.statusCode,
      seconds: reply.elapsedTime / 1000,
    })
    done()
  })
}
