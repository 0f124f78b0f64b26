import type { FastifyInstance } from 'fastify'
import type { HotLane } from '../routes/hot-lane.ts'

const CLOSE_IDLE_EVERY_MS = 100

/** Fastify's close waits for every connection, and ours are kept alive and held: this ends them in an orderly way. */
export function registerClosing(
  app: FastifyInstance,
  lane: HotLane,
): { stop(options: { graceMs: number }): Promise<void> } {
  let isClosing = false
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) {
      reply.header('connection', 'close')
    }
    done()
  })
  return {
    async stop({ graceMs }) {
      isClosing = true
      const idle = setInterval(() => {
        app.server.closeIdleConnections()
        lane.closeIdle()
      }, CLOSE_IDLE_EVERY_MS)
      const cut = setTimeout(() => {
        app.server.closeAllConnections()
        lane.closeAll()
      }, graceMs)
      try {
        await app.close()
      } finally {
        clearInterval(idle)
        clearTimeout(cut)
      }
    },
  }
}
