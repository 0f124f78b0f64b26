import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { ProviderError } from '../provider.ts'
import { download } from './download.ts'
import { fakePng, startLoopbackServer } from './loopback-server.fixture.ts'
import { fails, load, open } from './try-download.fixture.ts'

test('an answer is final or passing by its status', async () => {
  await using server = await startLoopbackServer((request, reply) => {
    reply.writeHead(Number(request.url?.slice(1))).end(fakePng())
  })
  for (const status of [204, 206, 300, 304, 305, 400, 401, 403, 404, 410, 451]) {
    await fails(load(`${server.origin}/${status}`), 'bad_reference', new RegExp(`answered ${status}`))
  }
  for (const status of [408, 425, 429, 500, 502, 503, 504, 521]) {
    await fails(load(`${server.origin}/${status}`), 'transient', new RegExp(`answered ${status}`))
  }
})

test('an answer in an encoding is refused', async () => {
  await using server = await startLoopbackServer((request, reply) => {
    const encoding = decodeURIComponent(request.url?.slice(1) ?? '')
    reply.writeHead(200, { 'content-encoding': encoding }).end(encoding === 'gzip' ? gzipSync(fakePng()) : fakePng())
  })
  for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'x-gzip', 'identity, gzip']) {
    await fails(load(`${server.origin}/${encodeURIComponent(encoding)}`), 'bad_reference', /encoded/)
  }
  assert.deepEqual(await load(`${server.origin}/Identity`), fakePng())
})

test('as many bytes as the limit come, and not one more, announced or not', async () => {
  const send: Record<string, (reply: ServerResponse) => void> = {
    '/1000': (reply) => reply.end(fakePng(1000)),
    '/1000-chunked': (reply) => reply.write(fakePng(500), () => reply.end(fakePng(500))),
    '/1001': (reply) => reply.end(fakePng(1001)),
    '/1001-chunked': (reply) => reply.write(fakePng(1000), () => reply.end('a')),
    '/announced': (reply) => void reply.writeHead(200, { 'content-length': 1e9 }).write(fakePng()),
    '/endless': (reply) => {
      const more = () => reply.write(fakePng(100), () => setImmediate(more))
      more()
    },
  }
  await using server = await startLoopbackServer((request, reply) => send[request.url ?? '']?.(reply))
  assert.equal((await load(`${server.origin}/1000`)).length, 1000)
  assert.equal((await load(`${server.origin}/1000-chunked`)).length, 1000)
  for (const path of ['/1001', '/1001-chunked', '/announced', '/endless']) {
    await fails(load(server.origin + path), 'bad_reference', /larger than 1000 bytes/)
  }
})

test('silence, a trickle and an endless chain of redirects end with the time', async () => {
  const send: Record<string, (reply: ServerResponse) => void> = {
    '/silent': () => {},
    '/trickle': (reply) => {
      const timer = setInterval(() => reply.write('a'), 20)
      reply.on('close', () => clearInterval(timer))
    },
    '/progress': (reply) => {
      const timer = setInterval(() => reply.writeProcessing(), 20)
      reply.on('close', () => clearInterval(timer))
    },
    '/slow': (reply) => void setTimeout(() => reply.writeHead(302, { location: '/slow' }).end(), 60),
  }
  await using server = await startLoopbackServer((request, reply) => send[request.url ?? '']?.(reply))
  const limits = { tryMs: 200, firstByteMs: 100 }
  await fails(load(`${server.origin}/silent`, open(), limits), 'transient', /no answer within 100 ms/)
  await fails(load(`${server.origin}/progress`, open(), limits), 'transient', /no answer within 100 ms/)
  await fails(load(`${server.origin}/trickle`, open(), limits), 'transient', /not there within 200 ms/)
  await fails(load(`${server.origin}/slow`, open(), { ...limits, maxRedirects: 99 }), 'transient', /not there within/)
  await fails(
    load(`${server.origin}/silent`, open(), { firstByteMs: 100, tryMs: 60_000 }),
    'transient',
    /within 100 ms/,
  )
  await sleep(50)
  assert.equal(server.open, 0)
  const stuck = open({}, { resolve: () => new Promise(() => {}) })
  await fails(load('http://stuck.example/', stuck, limits), 'transient', /no answer within 100 ms/)
})

test('a call that is called off ends at once and leaves no connection open', async () => {
  await using server = await startLoopbackServer((_request, reply) => void reply.write('a'))
  const controller = new AbortController()
  const loading = load(`${server.origin}/`, open(), {}, controller.signal)
  setTimeout(() => controller.abort(), 50)
  const startedMs = performance.now()
  await fails(loading, 'transient', /./)
  assert.ok(performance.now() - startedMs < 500)
  await fails(load(`${server.origin}/`, open(), {}, AbortSignal.abort()), 'transient', /./)
  assert.equal(server.connections, 1)
})

test('answers that break off, are no HTTP, upgrade or have endless headers fail by their class', async () => {
  const say = async (text: string) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(text))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    return { url: `http://127.0.0.1:${address.port}/`, [Symbol.dispose]: () => void server.close() }
  }
  for (const [text, failure] of [
    ['', 'transient'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc', 'transient'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc', 'transient'],
    ['SSH-2.0-OpenSSH_9.6\r\n', 'bad_reference'],
    ['-ERR unknown command\r\n', 'bad_reference'],
    [`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(17_000)}\r\ncontent-length: 0\r\n\r\n`, 'bad_reference'],
    ['HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n', 'bad_reference'],
  ] as const) {
    using server = await say(text)
    await fails(load(server.url), failure, /connection failed|answered/)
    if (failure !== 'transient') {
      await fails(load(server.url.replace('http:', 'https:')), 'bad_reference', /connection failed/)
    }
  }
})

test('a closed port may pass, and a name by its error', async () => {
  const server = await startLoopbackServer()
  await server[Symbol.asyncDispose]()
  await fails(load(`${server.origin}/`), 'transient', /ECONNREFUSED/)
  for (const [code, failure] of [
    ['ENOTFOUND', 'bad_reference'],
    ['ENODATA', 'bad_reference'],
    ['ETIMEOUT', 'transient'],
    ['ESERVFAIL', 'transient'],
    ['EAI_AGAIN', 'transient'],
    ['EMFILE', 'transient'],
  ] as const) {
    const gate = open({}, { resolve: () => Promise.reject(Object.assign(new Error(code), { code })) })
    await fails(load('http://broken.example/', gate), failure, new RegExp(code))
  }
  await fails(load('http://none.example/'), 'bad_reference', /no address/)
})

test('who asks for it is told what a failed answer says, as far as it came', async () => {
  const send: Record<string, (reply: ServerResponse) => void> = {
    '/whole': (reply) => reply.writeHead(503, { 'retry-after': '7' }).end('{"code":"busy"}'),
    '/broken': (reply) => {
      reply.writeHead(422, { 'content-length': 100 })
      reply.write('{"code":', () => reply.socket?.destroy())
    },
    '/endless': (reply) => {
      reply.writeHead(404)
      const more = () => reply.write('a'.repeat(1000), () => setImmediate(more))
      more()
    },
  }
  await using server = await startLoopbackServer((request, reply) => send[request.url ?? '']?.(reply))
  const ask = async (path: string): Promise<ProviderError> => {
    const loading = download(server.origin + path, {
      gate: open(),
      limits: { tryMs: 2000, firstByteMs: 1000, maxBytes: 1000, maxRedirects: 3 },
      signal: new AbortController().signal,
      toFailure: ({ status, headers, text }) =>
        new ProviderError('no_picture', `${headers.get('retry-after')} ${text}`, { status }),
    })
    const error: unknown = await loading.catch((reason: unknown) => reason)
    assert.ok(error instanceof ProviderError, String(error))
    assert.equal(error.failure, 'no_picture')
    return error
  }
  const whole = await ask('/whole')
  assert.deepEqual([whole.status, whole.message], [503, '7 {"code":"busy"}'])
  const broken = await ask('/broken')
  assert.deepEqual([broken.status, broken.message], [422, 'null {"code":'])
  const endless = await ask('/endless')
  assert.deepEqual([endless.status, endless.message.length], [404, 'null '.length + 16 * 1024])
})
