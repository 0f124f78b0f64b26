import { checkHealth, type Engine } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'

/** live: the process turns. ready: it can do its work, with the reasons when it can't. */
export function registerHealth(app: FastifyInstance, { engine }: { engine: Engine }): void {
  app.get('/health/live', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return { status: 'ok' }
  })
  app.get('/health/ready', async (_request, reply) => {
    const { isReady, checks } = await checkHealth(engine)
    reply.status(isReady ? 200 : 503).header('cache-control', 'no-store')
    return { status: isReady ? 'ok' : 'unavailable', checks }
  })
}
