import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { buildApp } from 'fauxqs'

/**
 * away: the connection is cut without an answer. slow: nothing is answered. cut: half of the body comes, and then the
 * connection is cut. stalled: half of the body comes, and then nothing. A number: that status, with a body of no use.
 */
export type S3Fault = 'away' | 'slow' | 'cut' | 'stalled' | number

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string
  readonly bucket: string
  /** The settings that open it. */
  readonly env: Readonly<Record<string, string>>
  /** Method and path with query of every request so far. */
  readonly requests: readonly string[]
  /** Answers that are on their way now. */
  readonly openBodies: number
  /** What the next requests meet whose method and path match, as `GET /bucket/images/…`. */
  fail(fault: S3Fault, options?: { times?: number; only?: RegExp }): void
  /** Ends all faults. */
  heal(): void
}

export async function startS3({ bucket = 'wombat-test' }: { bucket?: string } = {}): Promise<S3Server> {
  const app = buildApp({ logger: false })
  for (const type of ['image/jpeg', 'image/png']) {
    // It stops at 11 MB otherwise.
    app.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit: 64_000_000 }, (_, body, done) => done(null, body))
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  const target = new URL(app.listeningOrigin)
  const made = await fetch(new URL(`/${bucket}`, target), { method: 'PUT' })
  if (!made.ok) {
    throw new Error(`no bucket could be made: ${made.status}`)
  }
  const requests: string[] = []
  let openBodies = 0
  let faults: { fault: S3Fault; left: number; only: RegExp }[] = []

  function takeFault(line: string): S3Fault | undefined {
    const found = faults.find(({ left, only }) => left > 0 && only.test(line))
    if (found !== undefined) {
      found.left -= 1
    }
    return found?.fault
  }
  const front = createServer((incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`
    requests.push(line)
    openBodies += 1
    outgoing.once('close', () => {
      openBodies -= 1
    })
    answer(incoming, outgoing, { target, fault: takeFault(line) })
  })
  front.listen({ port: 0, host: '127.0.0.1' })
  await once(front, 'listening')
  const endpoint = `http://127.0.0.1:${portOf(front)}`
  return {
    endpoint,
    bucket,
    env: {
      S3_BUCKET: bucket,
      S3_ENDPOINT: endpoint,
      S3_ACCESS_KEY_ID: 'test-access',
      S3_SECRET_ACCESS_KEY: 'test-secret',
    },
    requests,
    get openBodies() {
      return openBodies
    },
    fail(fault, { times = Number.POSITIVE_INFINITY, only = /./ } = {}) {
      faults.push({ fault, left: times, only })
    },
    heal() {
      faults = []
    },
    async [Symbol.asyncDispose]() {
      front.closeAllConnections()
      front.close()
      await app.close()
    },
  }
}

function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { target, fault }: { target: URL; fault: S3Fault | undefined },
): void {
  if (fault === 'away') {
    incoming.socket.destroy()
    return
  }
  if (fault === 'slow') {
    incoming.resume()
    return
  }
  if (typeof fault === 'number') {
    incoming.resume()
    outgoing.writeHead(fault, { 'content-type': 'application/xml' })
    outgoing.end(`<Error><Code>${CODES[fault] ?? 'Other'}</Code><Message>It was told to.</Message></Error>`)
    return
  }
  const { method = 'GET', url = '/', headers } = incoming
  const forwarded = request(
    new URL(url, target),
    { method, headers, createConnection: () => connect(Number(target.port), target.hostname) },
    (answered) => {
      outgoing.writeHead(answered.statusCode ?? 500, answered.headers)
      if (fault === undefined) {
        answered.pipe(outgoing)
        return
      }
      void answered.toArray().then((chunks: Buffer[]) => {
        const body = Buffer.concat(chunks)
        outgoing.write(
          body.subarray(0, Math.floor(body.length / 2)),
          () => fault === 'cut' && incoming.socket.destroy(),
        )
      })
    },
  )
  forwarded.on('error', () => incoming.socket.destroy())
  incoming.pipe(forwarded)
}

const CODES: Readonly<Record<number, string>> = { 403: 'AccessDenied', 500: 'InternalError', 503: 'SlowDown' }

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
