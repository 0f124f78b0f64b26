import { connect, type Socket } from 'node:net'

/** A GET on a bare socket, which costs its own process almost nothing while it waits. */
export interface HeldRequest {
  /** When the first and the last byte of the answer came, on the clock of performance.now(). */
  readonly answered: Promise<{ firstByteMs: number; lastByteMs: number }>
  cut(): void
}

const HEADERS_END = '\r\n\r\n'

/** What arrives is counted and thrown away, so one place in memory does for all. */
const scratch = Buffer.allocUnsafe(256 * 1024)

/** Resolves when the request is on its way. `source`: which of the addresses 127.0.0.x it comes from. */
export async function holdRequest(request: {
  port: number
  path: string
  source: string | undefined
}): Promise<HeldRequest> {
  const { port, path, source } = request
  const { promise, resolve, reject } = Promise.withResolvers<{ firstByteMs: number; lastByteMs: number }>()
  // Whoever cuts it does not look at it any more.
  promise.catch(() => {})
  const socket = await open(port, source, createReader(resolve, reject))
  socket.on('error', reject)
  socket.on('close', () => reject(new Error('the connection was closed before the whole answer')))
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  return { answered: promise, cut: () => socket.destroy() }
}

function open(port: number, source: string | undefined, read: (bytes: Buffer) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ...(source === undefined ? {} : { localAddress: source }),
      onread: {
        buffer: scratch,
        callback(length, buffer) {
          read(Buffer.from(buffer.buffer, buffer.byteOffset, length))
          return true
        },
      },
    })
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Counts the bytes of one answer with a Content-Length. */
function createReader(
  done: (times: { firstByteMs: number; lastByteMs: number }) => void,
  fail: (error: Error) => void,
): (bytes: Buffer) => void {
  let firstByteMs: number | undefined
  let missing = 0
  return (bytes) => {
    if (firstByteMs === undefined) {
      firstByteMs = performance.now()
      const head = bytes.toString('latin1', 0, Math.min(bytes.length, 4096))
      const bodyAt = head.indexOf(HEADERS_END) + HEADERS_END.length
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1])
      if (!head.startsWith('HTTP/1.1 200 ') || bodyAt < HEADERS_END.length || !(length > 0)) {
        fail(new Error(`not the answer that was waited for: ${head.slice(0, 200)}`))
        return
      }
      missing = bodyAt + length
    }
    missing -= bytes.length
    if (missing <= 0) {
      done({ firstByteMs, lastByteMs: performance.now() })
    }
  }
}
