import { connect } from 'node:net'

/** Writes bytes to a server as they are and reads until it closes the connection. For what fetch would never send. */
export async function sendRaw(
  origin: string,
  parts: string | Uint8Array | readonly (string | Uint8Array)[],
): Promise<string> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  const { promise, resolve } = Promise.withResolvers<void>()
  let text = ''
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  // A reset after the answer is the server's right: it may close before it has read everything.
  socket.on('error', () => resolve())
  socket.on('close', () => resolve())
  for (const part of typeof parts === 'string' || parts instanceof Uint8Array ? [parts] : parts) {
    socket.write(part)
  }
  await promise
  return text
}

export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** The one answer in what sendRaw read. */
export function parseRaw(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [line = '', ...fields] = head.split('\r\n')
  const headers = fields.map((field) => {
    const colon = field.indexOf(':')
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const
  })
  return { status: Number(line.split(' ')[1]), headers: new Map(headers), body: rest.join('\r\n\r\n') }
}
