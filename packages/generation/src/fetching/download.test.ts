import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { ProviderError } from '../provider.ts'
import { type DownloadLimits, download } from './download.ts'
import { createGate, type Gate } from './gate.ts'
import { fakePng, startLoopbackServer } from './loopback-server.fixture.ts'

const LIMITS: DownloadLimits = { tryMs: 2000, firstByteMs: 1000, maxBytes: 1000, maxRedirects: 3 }
const never = new AbortController().signal

/** Lets through to loopback, through names that only these tests know. Everything else is as in production. */
function open(names: Record<string, readonly string[]> = {}, change: Partial<Gate> = {}): Gate {
  return {
    ...createGate([]),
    isOpenPort: () => true,
    isOpenAddress: (address) => address === '127.0.0.1' || address === '::1',
    resolve: async (hostname) => names[hostname] ?? [],
    ...change,
  }
}

function load(url: string, gate = open(), limits: Partial<DownloadLimits> = {}, signal = never): Promise<Buffer> {
  return download(url, { gate, limits: { ...LIMITS, ...limits }, signal })
}

async function fails(loading: Promise<unknown>, failure: string, message: RegExp): Promise<void> {
  await assert.rejects(loading, (error) => {
    assert.ok(error instanceof ProviderError, String(error))
    assert.equal(error.failure, failure, error.message)
    assert.match(error.message, message)
    return true
  })
}

test('a picture comes over IPv4, IPv6 and a name, with nothing in the request that it does not need', async () => {
  let sent: unknown
  const answer: RequestListener = (request, reply) => {
    sent = { method: request.method, url: request.url, headers: request.headers }
    reply.setHeader('set-cookie', 'a=b').end(fakePng())
  }
  await using server = await startLoopbackServer(answer)
  await using server6 = await startLoopbackServer(answer, { address: '::1' })
  const gate = open({ 'pictures.example': ['127.0.0.1'] })
  assert.deepEqual(await load(`${server.origin}/`, gate), fakePng())
  assert.deepEqual(await load(`${server6.origin}/`, gate), fakePng())
  assert.deepEqual(await load(`http://pictures.example:${server.port}/a.png?b=%20#c`, gate), fakePng())
  assert.deepEqual(sent, {
    method: 'GET',
    url: '/a.png?b=%20',
    headers: {
      host: `pictures.example:${server.port}`,
      connection: 'close',
      accept: 'image/jpeg, image/png, image/webp',
      'accept-encoding': 'identity',
      'user-agent': 'Wombat (reference images)',
    },
  })
})

test('a name is looked up once a request, and its checked address is the one that is connected to', async () => {
  await using server = await startLoopbackServer()
  await using canary = await startLoopbackServer(undefined, { address: '127.0.0.3', port: server.port })
  // A name server that rebinds: first a good address, then the one that it is after.
  const answers = [['127.0.0.1'], ['127.0.0.3'], ['127.0.0.3']]
  let asked = 0
  const gate = open({}, { resolve: async () => answers[asked++] ?? [] })
  await load(`http://rebind.example:${server.port}/`, gate)
  assert.equal(asked, 1)
  await fails(load(`http://rebind.example:${server.port}/`, gate), 'bad_reference', /is 127\.0\.0\.3, which is not public/)
  assert.deepEqual([server.connections, canary.connections], [1, 0])
})

test('a name with a closed address is refused without a connection, also beside open ones and in any disguise', async () => {
  await using canary = await startLoopbackServer()
  await using canary6 = await startLoopbackServer(undefined, { address: '::1', port: canary.port })
  const { isOpenAddress } = createGate([])
  for (const address of [
    ...['127.0.0.1', '127.1.2.3', '0.0.0.0', '10.0.0.1', '169.254.169.254', '192.168.0.1', '100.100.100.200'],
    ...['::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::'],
    ...['fd00:ec2::254', 'fe80::1', 'fe80::1%lo', 'ff02::1', 'localhost', ''],
  ]) {
    for (const addresses of [[address], ['8.8.8.8', address], [address, '2606:4700::1'], ['8.8.8.8', '8.8.4.4', address]]) {
      const gate = open({ 'evil.example': addresses }, { isOpenAddress })
      await fails(load(`http://evil.example:${canary.port}/`, gate), 'bad_reference', /which is not public/)
    }
  }
  assert.deepEqual([canary.connections, canary6.connections], [0, 0])
})

test('each of several addresses is tried', async () => {
  await using server6 = await startLoopbackServer(undefined, { address: '::1' })
  const gate = open({ 'two.example': ['127.0.0.1', '::1'] })
  assert.deepEqual(await load(`http://two.example:${server6.port}/`, gate), fakePng())
})

test('a trusted host may have any address, and no other port or host gains by it', async () => {
  await using server = await startLoopbackServer((request, reply) => {
    reply.writeHead(302, { location: request.url === '/out' ? `${canary.origin}/` : '/out' }).end()
  })
  await using canary = await startLoopbackServer()
  const trusting = createGate([`127.0.0.1:${server.port}`])
  await fails(load(`${server.origin}/`, trusting), 'bad_reference', new RegExp(`port ${canary.port} is closed`))
  await fails(load(`http://localhost:${server.port}/`, trusting), 'bad_reference', /port/)
  assert.deepEqual([server.paths, canary.connections], [['/', '/out'], 0])
  const both = createGate([`127.0.0.1:${server.port}`, `localhost:${canary.port}`])
  assert.deepEqual(await load(`http://localhost:${canary.port}/`, both), fakePng())
})

test('redirects are followed three times, with every way to say it', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    await using server = await startLoopbackServer((request, reply) => {
      const left = Number(request.url?.slice(1))
      if (left === 0) {
        reply.end(fakePng())
      } else {
        reply.writeHead(status, { location: left % 2 === 0 ? `${left - 1}` : `${server.origin}/${left - 1}` }).end('moved')
      }
    })
    assert.deepEqual(await load(`${server.origin}/3`), fakePng())
    await fails(load(`${server.origin}/4`), 'bad_reference', /more than 3 redirects/)
    assert.deepEqual(server.paths, ['/3', '/2', '/1', '/0', '/4', '/3', '/2', '/1'])
  }
})

test('a redirect to a closed place is refused without a connection', async () => {
  await using canary = await startLoopbackServer(undefined, { address: '127.0.0.2' })
  const { port } = canary
  const gate = open({ 'evil.example': ['127.0.0.2'], 'mixed.example': ['127.0.0.1', '127.0.0.2'], 'none.example': [] })
  for (const location of [
    ...[`http://127.0.0.2:${port}/`, `http://2130706434:${port}/`, `http://0x7f.2:${port}/`, `//0177.0.0.2:${port}/`],
    ...[`http://[::ffff:127.0.0.2]:${port}/`, `http://[::7f00:2]:${port}/`, `http://[64:ff9b::7f00:2]:${port}/`],
    ...[`http://evil.example:${port}/`, `http://mixed.example:${port}/`, `http://none.example:${port}/`],
    ...[`http://localhost:${port}/`, `http://a.internal:${port}/`, `http://u:p@127.0.0.1:${port}/`, 'file:///etc/passwd'],
    ...[`gopher://127.0.0.2:${port}/`, 'data:image/png;base64,iVBORw0KGgo=', `http:\\\\127.0.0.2:${port}/`, 'http://'],
    ...[`http://127.0.0.1:${port}@127.0.0.2:${port}/`, `/${'a'.repeat(2048)}`],
  ]) {
    await using server = await startLoopbackServer((_request, reply) => reply.writeHead(302, { location }).end())
    await fails(load(`${server.origin}/`, gate), 'bad_reference', /./)
    assert.equal(server.connections, 1)
  }
  assert.equal(canary.connections, 0)
})

test('a redirect may have UTF-8 that nobody escaped, and must have a Location', async () => {
  await using server = await startLoopbackServer((request, reply) => {
    if (request.url === '/') {
      reply.writeHead(302, { location: Buffer.from('/b\u00e4r\u20ac.png').toString('latin1') }).end()
    } else if (request.url === '/nowhere') {
      reply.writeHead(302).end()
    } else {
      reply.end(fakePng())
    }
  })
  await load(`${server.origin}/`)
  assert.equal(server.paths[1], '/b%C3%A4r%E2%82%AC.png')
  await fails(load(`${server.origin}/nowhere`), 'bad_reference', /without a Location/)
})

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
    '/1000-chunked': (reply) => void (reply.write(fakePng(500)), reply.end(fakePng(500))),
    '/1001': (reply) => reply.end(fakePng(1001)),
    '/1001-chunked': (reply) => void (reply.write(fakePng(1000)), reply.end('a')),
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
    ['HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n', 'transient'],
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

test('proxies that the environment names are not used', async () => {
  await using proxy = await startLoopbackServer()
  await using server = await startLoopbackServer()
  const script = `
    const { download } = await import(process.argv[1])
    const { createGate } = await import(process.argv[2])
    const limits = { tryMs: 5000, firstByteMs: 5000, maxBytes: 1000, maxRedirects: 3 }
    const gate = createGate(['127.0.0.1:${server.port}'])
    const bytes = await download('${server.origin}/', { gate, limits, signal: new AbortController().signal })
    console.log(bytes.length)`
  const files = ['./download.ts', './gate.ts'].map((file) => new URL(file, import.meta.url).href)
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.origin, http_proxy: proxy.origin, ALL_PROXY: proxy.origin }
  const flags = ['--input-type=module', '--eval', script, '--', ...files]
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env })
  assert.deepEqual([stdout.trim(), proxy.connections, server.connections], ['64', 0, 1])
})
