import { setTimeout as sleep } from 'node:timers/promises'
import { type Engine, hasOtherServers } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import type { HotLane } from '../routes/hot-lane.ts'
import { trackConnections } from './connections.ts'

export interface Closing {
  /** Whether those who wait here may be sent to the same address again. Known when no new connection is taken any more. */
  readonly hasOthers: () => boolean
  /** Goes on for `delayMs` while it asks each connection to end, then takes no new one. */
  leave(options: { delayMs: number }): Promise<void>
  /** Lets what is under way end for `graceMs`, then cuts it. */
  stop(options: { graceMs: number }): Promise<void>
}

/** Connections on which nothing has come between two looks are closed. */
const LOOK_EVERY_MS = 25
/** Even without any grace: what is said to those who wait needs a moment. */
const LEAST_GRACE_MS = 1_000

/** Ends a server that stops in an orderly way. Fastify's close waits for every connection, and ours are kept alive and held. */
export function registerClosing(app: FastifyInstance, engine: Engine, lane: HotLane): Closing {
  const { server } = app
  const connections = trackConnections(app, engine)
  let hasOthers = false

  return {
    hasOthers: () => hasOthers,
    async leave({ delayMs }) {
      lane.leave()
      connections.askToEnd()
      await sleep(delayMs)
      hasOthers = engine.config.PUBLIC_URL !== undefined && (await hasOtherServers(engine))
      // Node's own way counts a connection as idle although a request has reached the system and was not read yet, and
      // cuts answers that are not sent to the end.
      server.closeIdleConnections = () => {}
      await connections.takeAll()
      server.close()
    },
    async stop({ graceMs }) {
      // Right after a look at the network: whatever had come by then is read.
      const looking = setInterval(() => setImmediate(connections.closeIdle), LOOK_EVERY_MS)
      const cutting = setTimeout(connections.cut, Math.max(graceMs, LEAST_GRACE_MS))
      setImmediate(connections.closeIdle)
      try {
        await app.close()
      } finally {
        clearInterval(looking)
        clearTimeout(cutting)
      }
    },
  }
}
