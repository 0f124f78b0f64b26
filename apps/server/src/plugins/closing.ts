import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Engine, hasOtherServers } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import type { HotLane } from '../routes/hot-lane.ts'

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
/** Who has connected and said nothing is given this long: the first request is on its way. */
const FIRST_REQUEST_MS = 1_000
/** More keep coming then than can be taken. */
const TAKE_ALL_MS = 2_000
/** Even without any grace: what is said to those who wait needs a moment. */
const LEAST_GRACE_MS = 1_000

interface Connection {
  readonly sinceMs: number
  /** At the last look. */
  bytesRead: number
}

/**
 * Ends the connections of a server that stops so that no request is lost on them. Node's own way counts a connection as
 * idle although a request has reached the system and was not read yet, and cuts answers that are not sent to the end.
 */
export function registerClosing(app: FastifyInstance, engine: Engine, lane: HotLane): Closing {
  const { server } = app
  const connections = new Map<Socket, Connection>()
  const answers = new Set<ServerResponse>()
  let hasOthers = false
  let taken = 0

  server.on('connection', (socket: Socket) => {
    taken += 1
    connections.set(socket, { sinceMs: performance.now(), bytesRead: -1 })
    socket.once('close', () => connections.delete(socket))
  })
  app.addHook('onRequest', (_request, { raw }, done) => {
    answers.add(raw)
    raw.once('close', () => answers.delete(raw))
    if (engine.isLeaving) {
      raw.shouldKeepAlive = false
    }
    done()
  })

  /** The system resets who is connected and was not taken yet, and Node takes one connection each turn. */
  async function takeAll() {
    const deadlineMs = performance.now() + TAKE_ALL_MS
    let before: number
    do {
      before = taken
      await nextTurn()
    } while (taken > before && performance.now() < deadlineMs)
  }

  function closeIdle() {
    const busy = new Set([...answers].map(({ socket }) => socket))
    for (const [socket, known] of connections) {
      const isQuiet = socket.bytesRead === known.bytesRead
      const isExpected = socket.bytesRead === 0 && performance.now() - known.sinceMs < FIRST_REQUEST_MS
      if (isQuiet && !isExpected && !busy.has(socket) && socket.writableLength === 0) {
        socket.destroy()
      }
      known.bytesRead = busy.has(socket) ? -1 : socket.bytesRead
    }
  }

  /** A plain end would look like the whole picture behind some proxies. */
  function cut() {
    for (const { socket } of answers) {
      socket?.resetAndDestroy()
    }
    for (const socket of connections.keys()) {
      socket.destroy()
    }
  }

  return {
    hasOthers: () => hasOthers,
    async leave({ delayMs }) {
      lane.leave()
      for (const answer of answers) {
        // It says so, unless its head is out already; then its connection is closed when it is idle.
        answer.shouldKeepAlive = false
      }
      await sleep(delayMs)
      hasOthers = engine.config.PUBLIC_URL !== undefined && (await hasOtherServers(engine))
      server.closeIdleConnections = () => {}
      await takeAll()
      server.close()
    },
    async stop({ graceMs }) {
      const looking = setInterval(() => setImmediate(closeIdle), LOOK_EVERY_MS)
      const cutting = setTimeout(cut, Math.max(graceMs, LEAST_GRACE_MS))
      setImmediate(closeIdle)
      try {
        await app.close()
      } finally {
        clearInterval(looking)
        clearTimeout(cutting)
      }
    },
  }
}
