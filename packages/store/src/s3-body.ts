import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'

/**
 * Destroys a body from which nothing comes while its reader waits. One whose reader is slow has pieces in hand, and is
 * left alone: that is for whoever serves the reader.
 */
export function breakWhenStalled(body: IncomingMessage, stallMs: number): IncomingMessage {
  const { socket } = body
  let seen = socket.bytesRead
  const timer = setInterval(() => {
    if (socket.bytesRead === seen && body.readableLength === 0 && !body.complete) {
      body.destroy(new Error(`nothing came for ${stallMs} ms`))
    }
    seen = socket.bytesRead
  }, stallMs)
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
