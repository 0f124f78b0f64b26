import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'

/** In the time that a body may stall. */
const LOOKS = 4

/**
 * Destroys a body from which nothing comes while its reader waits. One whose reader is slow has pieces in hand, and is
 * left alone: that is for whoever serves the reader.
 */
export function breakWhenStalled(body: IncomingMessage, stallMs: number): IncomingMessage {
  const { socket } = body
  let seen = socket.bytesRead
  let looksInVain = 0
  const timer = setInterval(() => {
    const isInVain = socket.bytesRead === seen && body.readableLength === 0 && !body.complete
    seen = socket.bytesRead
    // At the first look in vain the reader may just have taken what was there while it was slow itself.
    looksInVain = isInVain ? looksInVain + 1 : 0
    if (looksInVain === LOOKS + 1) {
      body.destroy(new Error(`nothing came for ${stallMs} ms`))
    }
  }, stallMs / LOOKS)
  body.once('close', () => clearInterval(timer))
  return body
}

/** All bytes of a body; throws when it ends before its announced length. */
export async function readWhole(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of body) {
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
