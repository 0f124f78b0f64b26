import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import path from 'node:path'

export interface DatabaseProxy extends Disposable {
  /** The same database, through the proxy. */
  readonly url: string
  /** How many statements have gone through. */
  readonly statements: number
  /** Breaks all connections and refuses new ones, as a server that is being restarted does. */
  cut(): void
  /** Passes nothing on and tells nobody, as a network that swallows everything; new connections are refused. */
  freeze(): void
  /** Lets new connections through again. */
  mend(): Promise<void>
}

/** Stands between a server and its PostgreSQL, so that a test can take it away from one server only. */
export async function openDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const target = new URL(databaseUrl)
  const directory = target.searchParams.get('host')
  const port = target.port === '' ? 5432 : Number(target.port)
  const sockets = new Set<Socket>()
  let statements = 0

  const server = createServer((client) => {
    const upstream =
      directory === null ? connect(port, target.hostname) : connect(path.join(directory, `.s.PGSQL.${port}`))
    client.on(
      'data',
      statementCounter(() => (statements += 1)),
    )
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  const listen = async (at: number) => {
    server.listen(at, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const address = server.address()
  const ownPort = typeof address === 'object' ? (address?.port ?? 0) : 0
  const url = new URL(databaseUrl)
  url.searchParams.delete('host')
  url.hostname = '127.0.0.1'
  url.port = String(ownPort)

  const breakAll = () => {
    for (const socket of sockets) {
      socket.destroy()
    }
  }
  return {
    url: url.href,
    get statements() {
      return statements
    },
    cut() {
      server.close()
      breakAll()
    },
    freeze() {
      server.close()
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
    mend: () => listen(ownPort),
    [Symbol.dispose]() {
      server.close()
      breakAll()
    },
  }
}

/** Reads what a client sends: each message but the first has a type, then its length. Q is a query, E executes one. */
function statementCounter(count: () => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let isFirst = true
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const at = isFirst ? 0 : 1
      const length = rest.length < at + 4 ? Number.POSITIVE_INFINITY : at + rest.readUInt32BE(at)
      if (rest.length < length) {
        return
      }
      if (!isFirst && 'QE'.includes(String.fromCharCode(rest[0] ?? 0))) {
        count()
      }
      isFirst = false
      rest = rest.subarray(length)
    }
  }
}
