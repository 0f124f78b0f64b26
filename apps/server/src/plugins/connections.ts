import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Engine } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'

/** All connections of a server and the answers that are under way on them, for its end. */
export interface Connections {
  /** Has the last answer of each connection say that it is that, if it has no head yet; later ones do so by themselves. */
  askToEnd(): void
  /** Takes all connections that the system has made: it resets those that were not taken when the listener is closed. */
  takeAll(): Promise<void>
  /** Closes those on which nothing is under way and nothing has come since the last call. */
  closeIdle(): void
  cut(): void
}

/** Who has connected and said nothing is given this long: the first request is on its way. */
const FIRST_REQUEST_MS = 1_000
/** If more keep coming than can be taken. */
const TAKE_ALL_MS = 2_000

interface Connection {
  readonly sinceMs: number
  /** At the last look; -1 when something was under way. */
  bytesRead: number
}

export function trackConnections(app: FastifyInstance, engine: Engine): Connections {
  const known = new Map<Socket, Connection>()
  const answers = new Set<ServerResponse>()
  /** Those that say it, since it leaves. */
  const lastOnes = new WeakMap<Socket, ServerResponse>()
  let taken = 0

  /** Of several requests that a client has sent at once the last one. False: an answer has said so already, and nothing follows it. */
  function makeLast(answer: ServerResponse): boolean {
    const { socket } = answer.req
    const before = lastOnes.get(socket)
    if (before?.headersSent === true) {
      return false
    }
    if (before !== undefined) {
      before.shouldKeepAlive = true
    }
    answer.shouldKeepAlive = false
    lastOnes.set(socket, answer)
    return true
  }

  app.server.on('connection', (socket: Socket) => {
    taken += 1
    known.set(socket, { sinceMs: performance.now(), bytesRead: -1 })
    socket.once('close', () => known.delete(socket))
  })
  app.addHook('onRequest', (_request, reply, done) => {
    const { raw } = reply
    if (engine.isLeaving && !makeLast(raw)) {
      // It would be done, and charged, without an answer. The connection ends with the one before it.
      reply.hijack()
      return
    }
    answers.add(raw)
    raw.once('close', () => answers.delete(raw))
    done()
  })

  return {
    askToEnd() {
      const ends = new Map([...answers].map((answer) => [answer.req.socket, answer]))
      for (const answer of ends.values()) {
        if (!answer.headersSent) {
          makeLast(answer)
        }
      }
    },
    async takeAll() {
      const deadlineMs = performance.now() + TAKE_ALL_MS
      let before: number
      do {
        before = taken
        // Node takes one connection a turn.
        await nextTurn()
      } while (taken > before && performance.now() < deadlineMs)
    },
    closeIdle() {
      const busy = new Set([...answers].map(({ socket }) => socket))
      for (const [socket, connection] of known) {
        const isBusy = busy.has(socket) || socket.writableLength > 0
        const isExpected = socket.bytesRead === 0 && performance.now() - connection.sinceMs < FIRST_REQUEST_MS
        if (!isBusy && !isExpected && socket.bytesRead === connection.bytesRead) {
          socket.destroy()
        }
        connection.bytesRead = isBusy ? -1 : socket.bytesRead
      }
    },
    cut() {
      for (const { socket } of answers) {
        // A plain end would look like the whole picture behind some proxies.
        socket?.resetAndDestroy()
      }
      for (const socket of known.keys()) {
        socket.destroy()
      }
    },
  }
}
