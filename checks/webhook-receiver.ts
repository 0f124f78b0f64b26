import assert from 'node:assert/strict'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly atMs: number
}

export interface Receiver extends AsyncDisposable {
  /** `host:port`, for WEBHOOK_ALLOW_HOSTS. */
  readonly host: string
  readonly url: string
  /** Every message that came, whatever was answered. */
  readonly received: readonly Received[]
  /** How the next ones are answered; 204 at the beginning. */
  answer: (reply: ServerResponse, message: Received) => void
}

/** Somebody's server that takes webhooks. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url = '', headers } = request
      assert.equal(request.method, 'POST')
      const message = { path: url, headers, body: Buffer.concat(chunks).toString('utf8'), atMs: Date.now() }
      received.push(message)
      receiver.answer(reply, message)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/hook`,
    received,
    answer: (reply) => reply.writeHead(204).end(),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return receiver
}

/** What a message says, after its signature was checked as https://www.standardwebhooks.com has it. */
export function verify(secret: string, { headers, body, atMs }: Received) {
  const id = String(headers['webhook-id'])
  const second = String(headers['webhook-timestamp'])
  assert.match(id, /^msg_[0-9a-f]{32}$/)
  assert.match(second, /^\d{10}$/)
  assert.ok(Math.abs(atMs / 1000 - Number(second)) < 5)
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${second}.${body}`).digest()
  const signatures = String(headers['webhook-signature']).split(' ')
  assert.ok(signatures.some((one) => isSame(one, expected)))
  assert.equal(headers['content-type'], 'application/json')
  return { id, message: JSON.parse(body), signatures: signatures.length }
}

function isSame(signature: string, expected: Buffer): boolean {
  assert.match(signature, /^v1,[A-Za-z0-9+/]{43}=$/)
  return timingSafeEqual(Buffer.from(signature.slice('v1,'.length), 'base64'), expected)
}
