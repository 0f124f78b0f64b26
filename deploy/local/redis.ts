import { connect } from 'node:net'

/** Whether a PING is answered as it should be. */
export async function redisAnswers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(5_000, () => socket.destroy())
  try {
    socket.end('PING\r\n')
    const chunks: Buffer[] = []
    for await (const chunk of socket) {
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString().startsWith('+PONG')
  } catch {
    // Not there yet, or not any more.
    return false
  }
}
