import { advanceDevClock, type Engine, readDevClock } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import { parseJson } from '../plugins/bodies.ts'

/** /dev/clock: time that passes when the developer says so. Without DEV_MODE there is no such address. */
export function registerDevClock(app: FastifyInstance, { engine }: { engine: Engine }): void {
  if (!engine.config.DEV_MODE) {
    return
  }
  engine.log.warn({}, 'DEV_MODE is on: anybody who reaches this server may make its time pass')
  app.get('/dev/clock', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    return await readDevClock(engine)
  })
  app.post('/dev/clock', async (request, reply) => {
    const gone = new AbortController()
    reply.raw.once('close', () => gone.abort())
    reply.header('cache-control', 'no-store')
    return await advanceDevClock(engine, parseJson(request.body), gone.signal)
  })
}
