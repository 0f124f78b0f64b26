import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { parseImageName } from '@wombat/contract'
import type { Engine, HotImage } from '@wombat/engine'
import { imageHeaders } from './send-image.ts'

/**
 * A connection whose requests are nothing but plain GETs of JPEGs that are in memory is answered on its socket, without
 * Node's HTTP and Fastify, which cost four times as much as the rest of such an answer. It reads almost nothing: whatever
 * is not exactly such a request, in one piece, goes to Node's HTTP with all that follows on the connection, and nothing
 * of it is answered here. So there is one parser of HTTP, and this only knows a few requests by sight.
 */
export interface HotLane {
  /** Answers nothing more: each connection goes to Node's HTTP with its next request, and is told there that it ends. */
  leave(): void
}

/** A client that connects ahead of its first request is Node's to wait for. */
const FIRST_REQUEST_MS = 1_000
/** Longer than any browser's request for an image. */
const LONGEST_REQUEST_BYTES = 4096

export function openHotLane(server: Server, engine: Engine, { idleMs }: { idleMs: number }): HotLane {
  const toHttp = server.listeners('connection')
  const answer = createAnswerer(engine, { idleMs })
  let isLeaving = false

  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    follow(socket, {
      idleMs,
      answer: (bytes) => !isLeaving && answer(socket, bytes),
      handOver() {
        for (const listener of toHttp) {
          Reflect.apply(listener, server, [socket])
        }
      },
    })
  })

  return {
    leave() {
      isLeaving = true
    },
  }
}

interface Lane {
  readonly idleMs: number
  /** False for bytes that are not ours to answer. */
  answer(bytes: Buffer): boolean
  handOver(): void
}

/** Stays with a connection as long as its requests can be answered here. */
function follow(socket: Socket, lane: Lane): void {
  let isIdleKnown = false
  function leave() {
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('timeout', onTimeout).off('close', leave)
    socket.setTimeout(0)
  }
  function onData(bytes: Buffer) {
    if (!lane.answer(bytes)) {
      leave()
      socket.unshift(bytes)
      lane.handOver()
    } else if (!isIdleKnown) {
      isIdleKnown = true
      socket.setTimeout(lane.idleMs)
    }
  }
  function onTimeout() {
    if (isIdleKnown) {
      // Idle, or a reader that takes nothing.
      socket.destroy()
      return
    }
    leave()
    lane.handOver()
  }
  // After the answer that may be due to it.
  const onEnd = () => setImmediate(() => socket.end())
  // A client that goes away is no fault.
  const onError = () => socket.destroy()

  socket.setTimeout(FIRST_REQUEST_MS)
  socket.on('data', onData).on('end', onEnd).on('error', onError).on('timeout', onTimeout).on('close', leave)
}

interface Answer {
  readonly socket: Socket
  readonly head: string
  /** Undefined for a 304. */
  readonly bytes: Buffer | undefined
}

/**
 * Answers a request if it is one of those that this lane knows, and says whether it was. What was read together is
 * answered together: a client that is woken by the first answer finds the others and need not be woken for each, which
 * takes the system longer than all the rest.
 */
function createAnswerer(engine: Engine, { idleMs }: { idleMs: number }): (socket: Socket, bytes: Buffer) => boolean {
  const heads = new WeakMap<HotImage, Heads>()
  const date = createDate()
  const readRequest = createReader()
  const { hotLane } = engine.metrics
  let due: Answer[] = []

  function flush() {
    const answers = due
    due = []
    for (const answer of answers) {
      send(answer)
    }
  }
  function headsOf(image: HotImage): Heads {
    let known = heads.get(image)
    if (known === undefined) {
      known = writeHeads(engine, image, idleMs)
      heads.set(image, known)
    }
    return known
  }

  return (socket, bytes) => {
    // Who has not taken the last answer yet gets Node's care about slow readers.
    const wanted = socket.writableLength > 0 ? undefined : readRequest(bytes)
    const image = wanted === undefined ? undefined : engine.images.peek(wanted.imageId)
    if (wanted === undefined || image?.bytes === undefined || image.contentType !== 'image/jpeg') {
      // Nobody answers on this connection before what is due on it.
      flush()
      return false
    }
    const { whole, unchanged } = headsOf(image)
    const isUnchanged = wanted.etag === image.etag
    hotLane[isUnchanged ? 'unchanged' : 'whole'] += 1
    const varying = `x-request-id: ${crypto.randomUUID()}\r\ndate: ${date()}${END}`
    due.push({
      socket,
      head: (isUnchanged ? unchanged : whole) + varying,
      bytes: isUnchanged ? undefined : image.bytes,
    })
    if (due.length === 1) {
      setImmediate(flush)
    }
    return true
  }
}

function send({ socket, head, bytes }: Answer): void {
  if (bytes === undefined) {
    socket.write(head, 'latin1')
    return
  }
  socket.cork()
  socket.write(head, 'latin1')
  socket.write(bytes)
  socket.uncork()
}

/** The headers of an image, but for those that differ from answer to answer. */
interface Heads {
  readonly whole: string
  readonly unchanged: string
}

function writeHeads(engine: Engine, image: HotImage, idleMs: number): Heads {
  const lines = Object.entries(imageHeaders(engine, image)).map(([name, value]) => `${name}: ${value}\r\n`)
  const both = `${lines.join('')}connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(idleMs / 1000)}\r\n`
  return {
    whole: `HTTP/1.1 200 OK\r\ncontent-type: ${image.contentType}\r\ncontent-length: ${image.sizeBytes}\r\n${both}`,
    unchanged: `HTTP/1.1 304 Not Modified\r\n${both}`,
  }
}

/** The time as HTTP has it, which takes longer to write than to look up. */
function createDate(): () => string {
  let second = 0
  let text = ''
  return () => {
    const now = Math.floor(Date.now() / 1000)
    if (now !== second) {
      second = now
      text = new Date(now * 1000).toUTCString()
    }
    return text
  }
}

interface HotHeaders {
  /** The one strong tag of If-None-Match. */
  readonly etag: string | undefined
}

interface HotRequest extends HotHeaders {
  readonly imageId: string
}

const BEGIN = 'GET /api/image/'
const VERSION = ' HTTP/1.1'
const END = '\r\n\r\n'
const HEADER = /^([a-z-]+): ?([\x20-\x7e]*)$/i
const ONE_TAG = /^"[^",]*"$/
/** Clients say the same of themselves again and again: so many different heads are remembered. */
const HEADS_KNOWN = 1_000

/** They change nothing in the answer to a GET of a JPEG that is in memory. */
const IDLE_HEADERS = new Set(
  (
    'user-agent accept accept-language accept-encoding accept-charset referer origin cookie cache-control pragma dnt ' +
    'priority upgrade-insecure-requests sec-fetch-site sec-fetch-mode sec-fetch-dest sec-fetch-user sec-ch-ua ' +
    'sec-ch-ua-mobile sec-ch-ua-platform sec-gpc authorization via forwarded x-forwarded-for x-forwarded-host ' +
    'x-forwarded-proto x-forwarded-port x-real-ip'
  ).split(' '),
)

/** Answers undefined for everything that is not one whole plain GET of an image with nothing behind it. */
function createReader(): (bytes: Buffer) => HotRequest | undefined {
  const known = new Map<string, HotHeaders>()
  function remember(lines: string, headers: HotHeaders) {
    if (known.size >= HEADS_KNOWN) {
      known.clear()
    }
    known.set(lines, headers)
  }
  return (bytes) => {
    const text = bytes.length > LONGEST_REQUEST_BYTES ? '' : bytes.toString('latin1')
    const lineEnd = text.indexOf('\r\n')
    const pathEnd = lineEnd - VERSION.length
    if (!text.startsWith(BEGIN) || !text.startsWith(VERSION, pathEnd) || !text.endsWith(END)) {
      return undefined
    }
    const name = parseImageName(text.slice(BEGIN.length, pathEnd))
    const lines = text.slice(lineEnd + 2, -END.length)
    const headers = known.get(lines) ?? readHeaders(lines.split('\r\n'))
    if (name === undefined || name.wantsStatus || headers === undefined) {
      return undefined
    }
    if (!known.has(lines)) {
      remember(lines, headers)
    }
    return { imageId: name.id, etag: headers.etag }
  }
}

/** Undefined when there is one that may matter, or the same one twice, or no Host. */
function readHeaders(lines: readonly string[]): HotHeaders | undefined {
  let isHostGiven = false
  let etag: string | undefined
  for (const line of lines) {
    const [, given = '', value = ''] = HEADER.exec(line) ?? []
    const name = given.toLowerCase()
    if (name === 'host' && !isHostGiven) {
      isHostGiven = true
    } else if (name === 'if-none-match' && etag === undefined && ONE_TAG.test(value)) {
      etag = value
    } else if (!IDLE_HEADERS.has(name) && !(name === 'connection' && value.toLowerCase() === 'keep-alive')) {
      return undefined
    }
  }
  return isHostGiven ? { etag } : undefined
}
