import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createClient, WombatError } from './index.ts'

interface Stub extends AsyncDisposable {
  readonly baseUrl: string
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Stub> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // A server that listens on TCP has this kind of address.
  return {
    baseUrl: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function isWombatError(expected: Partial<WombatError>) {
  return (error: unknown) => {
    assert.ok(error instanceof WombatError)
    assert.deepEqual({ ...error, message: error.message }, { ...error, message: error.message, ...expected })
    return true
  }
}

test('generate sends the body as it is with key and idempotency key, and reads the headers of the answer', async () => {
  const seen: { url?: string | undefined; authorization?: string | undefined; key?: unknown; body?: unknown } = {}
  await using stub = await serve((request, response) => {
    seen.url = request.url
    seen.authorization = request.headers.authorization
    seen.key = request.headers['idempotency-key']
    request.setEncoding('utf8').on('data', (text: string) => {
      seen.body = JSON.parse(text)
      response
        .setHeader('x-credits-charged', 8)
        .setHeader('x-credits-remaining', 0)
        .setHeader('x-provider', 'synthetic')
      response.end('[{"url":"http://host/api/image/v2-1.jpg","alt":"a cat"}]')
    })
  })
  const client = createClient({ baseUrl: stub.baseUrl, apiKey: 'secret' })
  const answer = await client.generate({ prompt: 'cat', numImages: 1 }, { idempotencyKey: 'one' })
  assert.deepEqual(seen, {
    url: '/api/image-generation/',
    authorization: 'Bearer secret',
    key: 'one',
    body: { prompt: 'cat', numImages: 1 },
  })
  assert.deepEqual(answer, {
    images: [{ url: 'http://host/api/image/v2-1.jpg', alt: 'a cat' }],
    creditsCharged: 8,
    creditsRemaining: 0,
    provider: 'synthetic',
  })
})

test('an error of the server keeps its code, status, request and details', async () => {
  await using stub = await serve((_, response) => {
    const body = {
      error: 'Too few.',
      message: 'Too few.',
      code: 'insufficient_credits',
      requestId: 'r1',
      details: { required: 8 },
    }
    response.writeHead(402, { 'retry-after': '7' }).end(JSON.stringify(body))
  })
  const client = createClient({ baseUrl: stub.baseUrl })
  await assert.rejects(
    client.generate({ prompt: 'cat' }),
    isWombatError({
      message: 'Too few.',
      code: 'insufficient_credits',
      status: 402,
      requestId: 'r1',
      retryAfterSeconds: 7,
      details: { required: 8 },
    }),
  )
})

test('what no such server would say is unexpected, also with 200', async () => {
  await using stub = await serve((request, response) => {
    response.writeHead(request.url === '/a.jpg' ? 200 : 502, { 'content-type': 'text/html' }).end('<h1>proxy</h1>')
  })
  const client = createClient({ baseUrl: stub.baseUrl })
  await assert.rejects(client.generate({ prompt: 'cat' }), isWombatError({ code: 'unexpected', status: 502 }))
  await assert.rejects(client.download(`${stub.baseUrl}a.jpg`), isWombatError({ code: 'unexpected', status: 200 }))
})

test('download gives bytes and type; half a picture is an error', async () => {
  await using stub = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': 4 })
    if (request.url === '/half.png') {
      response.write('PN')
      setImmediate(() => response.socket?.resetAndDestroy())
      return
    }
    response.end('PNG!')
  })
  const client = createClient({ baseUrl: stub.baseUrl })
  const { bytes, contentType } = await client.download(`${stub.baseUrl}whole.png`)
  assert.equal(new TextDecoder().decode(bytes), 'PNG!')
  assert.equal(contentType, 'image/png')
  await assert.rejects(client.download(`${stub.baseUrl}half.png`), isWombatError({ code: 'unreachable', status: 0 }))
})

test('the status is beside the image, whatever its extension or query', async () => {
  const asked: (string | undefined)[] = []
  await using stub = await serve((request, response) => {
    asked.push(request.url)
    response.end('{"id":"v2-1","status":"queued"}')
  })
  const client = createClient({ baseUrl: stub.baseUrl })
  for (const name of ['v2-1.jpg', 'v2-1', 'v2-1.PNG?width=3#x', 'v2-1.json']) {
    assert.equal((await client.status(`${stub.baseUrl}api/image/${name}`)).status, 'queued')
  }
  assert.deepEqual(new Set(asked), new Set(['/api/image/v2-1.json']))
})

test('nobody there is unreachable, and an aborted call throws what it was aborted with', async () => {
  const stub = await serve(() => {})
  const client = createClient({ baseUrl: stub.baseUrl })
  const reason = new Error('no longer wanted')
  const stopping = new AbortController()
  const pending = client.generate({ prompt: 'cat' }, { signal: stopping.signal })
  setImmediate(() => stopping.abort(reason))
  await assert.rejects(pending, reason)
  await stub[Symbol.asyncDispose]()
  await assert.rejects(client.generate({ prompt: 'cat' }), isWombatError({ code: 'unreachable', status: 0 }))
})
