import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, isIPv6, type Socket } from 'node:net'

export interface LoopbackServer extends AsyncDisposable {
  readonly port: number
  /** With the address that it listens on. */
  readonly origin: string
  /** Each path that was asked for, in order. */
  readonly paths: readonly string[]
  readonly connections: number
  /** Of them, those that are open now. */
  readonly open: number
}

/** A PNG, for those who look at the signature only. */
export function fakePng(sizeBytes = 64): Buffer {
  const bytes = Buffer.alloc(sizeBytes, 7)
  bytes.write('\x89PNG\r\n\x1a\n', 'latin1')
  return bytes
}

/** An HTTP server on loopback. Without a listener it is a canary: it answers with a PNG and counts. */
export async function startLoopbackServer(
  listener: RequestListener = (_request, reply) => reply.end(fakePng()),
  { address = '127.0.0.1', port = 0 }: { address?: string; port?: number } = {},
): Promise<LoopbackServer> {
  const paths: string[] = []
  const open = new Set<Socket>()
  let connections = 0
  const server = createServer((request, reply) => {
    paths.push(request.url ?? '')
    listener(request, reply)
  })
  server.on('connection', (socket: Socket) => {
    connections += 1
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  server.listen(port, address)
  await once(server, 'listening')
  const own = listeningPort(server.address())
  return {
    port: own,
    origin: `http://${isIPv6(address) ? `[${address}]` : address}:${own}`,
    paths,
    get connections() {
      return connections
    },
    get open() {
      return open.size
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function listeningPort(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') {
    throw new Error('the server has no port')
  }
  return address.port
}
