import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import type { Gate } from './gate.ts'
import { startLoopbackServer } from './loopback-server.fixture.ts'
import { createPoster, type PostLimits, postVetted } from './post.ts'
import { fails, open } from './try-download.fixture.ts'

const LIMITS: PostLimits = { totalMs: 2000, firstByteMs: 1000, maxBytes: 1000 }
const never = new AbortController().signal

function send(url: string, options: { gate?: Gate; limits?: Partial<PostLimits>; signal?: AbortSignal } = {}) {
  const { gate = open(), limits, signal = never } = options
  const body = '{"text":"größer"}'
  return postVetted(url, { gate, limits: { ...LIMITS, ...limits }, headers: { 'x-check': 'yes' }, body, signal })
}

test('the body arrives as it is, with its length and the headers', async () => {
  const got: { method: string | undefined; headers: IncomingHttpHeaders; body: string }[] = []
  await using server = await startLoopbackServer((request, reply) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      got.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') })
      reply.writeHead(503, { 'retry-after': '120' }).end('busy')
    })
  })
  assert.deepEqual(await send(`${server.origin}/hook`), { status: 503, retryAfterMs: 120_000 })
  const [one] = got
  assert.deepEqual([one?.method, one?.body], ['POST', '{"text":"größer"}'])
  assert.deepEqual([one?.headers['x-check'], one?.headers['content-length']], ['yes', '19'])
  assert.equal(one?.headers['transfer-encoding'], undefined)
})

test('a redirect is an answer and is not followed', async () => {
  await using server = await startLoopbackServer((request, reply) => {
    request.resume()
    reply.writeHead(307, { location: '/elsewhere' }).end()
  })
  assert.equal((await send(`${server.origin}/hook`)).status, 307)
  assert.deepEqual(server.paths, ['/hook'])
})

test('of a long answer only the beginning is read, and the connection is closed', { timeout: 20_000 }, async () => {
  let isCut = false
  await using server = await startLoopbackServer((request, reply) => {
    request.resume()
    reply.on('close', () => {
      isCut = !reply.writableFinished
    })
    const more = () => {
      while (!reply.destroyed && reply.write(Buffer.alloc(65_536))) {
        // Until the socket is full; and again when it is not.
      }
    }
    reply.on('drain', more)
    more()
  })
  assert.equal((await send(server.origin)).status, 200)
  while (!isCut) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(isCut, true)
})

test('an answer that does not end, or breaks off, counts by its status', async () => {
  await using server = await startLoopbackServer((request, reply) => {
    request.resume()
    reply.writeHead(200, { 'content-length': '100' })
    reply.write('x')
    if (request.url === '/broken') {
      setImmediate(() => reply.destroy())
    }
  })
  assert.equal((await send(`${server.origin}/broken`)).status, 200)
  assert.equal((await send(`${server.origin}/endless`, { limits: { totalMs: 300 } })).status, 200)
})

test('no answer, no server and being called off are passing', async () => {
  await using server = await startLoopbackServer((request) => request.resume())
  await fails(send(server.origin, { limits: { firstByteMs: 100 } }), 'transient', /^no answer within 100 ms$/)
  await fails(send(server.origin, { limits: { totalMs: 100 } }), 'transient', /^not answered within 100 ms$/)
  const stop = new AbortController()
  const sending = send(server.origin, { signal: stop.signal })
  stop.abort()
  await fails(sending, 'transient', /^it was called off$/)
  const { origin } = server
  await server[Symbol.asyncDispose]()
  await fails(send(origin), 'transient', /ECONNREFUSED/)
})

test('what is not public gets nothing, by its address, its port or its name', async () => {
  await using server = await startLoopbackServer()
  const poster = createPoster([])
  const options = { headers: {}, body: '{}', signal: never }
  await fails(poster.post(server.origin, options), 'bad_reference', /^port \d+ is closed$/)
  await fails(poster.post('http://127.0.0.1/', options), 'bad_reference', /not public/)
  const shut = open({ 'hooks.example': ['127.0.0.1'] }, { isOpenAddress: () => false })
  await fails(
    send(`http://hooks.example:${server.port}/`, { gate: shut }),
    'bad_reference',
    /127\.0\.0\.1, which is not/,
  )
  assert.equal(server.connections, 0)
  const allowed = createPoster([`127.0.0.1:${server.port}`])
  assert.equal(allowed.findFault(server.origin), undefined)
  assert.equal((await allowed.post(server.origin, options)).status, 200)
  assert.match(allowed.findFault('http://127.0.0.1:1/') ?? '', /^port 1 is closed$/)
  assert.match(poster.findFault('ftp://example.com/') ?? '', /scheme/)
  assert.equal(poster.findFault('https://example.com/hook'), undefined)
})
