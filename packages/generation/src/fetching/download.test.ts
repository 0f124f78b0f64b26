import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createGate } from './gate.ts'
import { fakePng, startLoopbackServer } from './loopback-server.fixture.ts'
import { fails, load, open } from './try-download.fixture.ts'

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
  await using server = await startLoopbackServer(undefined, { address: '::1' })
  await using canary = await startLoopbackServer(undefined, { port: server.port })
  // A name server that rebinds: first a good address, then the one that it is after.
  const answers = [['::1'], ['127.0.0.1'], ['127.0.0.1']]
  let asked = 0
  const gate = open({}, { isOpenAddress: (address) => address === '::1', resolve: async () => answers[asked++] ?? [] })
  const url = `http://rebind.example:${server.port}/`
  await load(url, gate)
  assert.equal(asked, 1)
  await fails(load(url, gate), 'bad_reference', /is 127\.0\.0\.1, which is not public/)
  assert.deepEqual([server.connections, canary.connections], [1, 0])
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
        reply
          .writeHead(status, { location: left % 2 === 0 ? `${left - 1}` : `${server.origin}/${left - 1}` })
          .end('moved')
      }
    })
    assert.deepEqual(await load(`${server.origin}/3`), fakePng())
    await fails(load(`${server.origin}/4`), 'bad_reference', /more than 3 redirects/)
    assert.deepEqual(server.paths, ['/3', '/2', '/1', '/0', '/4', '/3', '/2', '/1'])
  }
})

test('a redirect to a closed place is refused without a connection', async () => {
  await using canary = await startLoopbackServer()
  const { port } = canary
  const names = { 'evil.example': ['127.0.0.1'], 'mixed.example': ['::1', '127.0.0.1'], 'none.example': [] }
  const gate = open(names, { isOpenAddress: (address) => address === '::1' })
  let location = ''
  await using server = await startLoopbackServer((_request, reply) => reply.writeHead(302, { location }).end(), {
    address: '::1',
  })
  const locations = [
    ...[`http://127.0.0.1:${port}/`, `http://2130706433:${port}/`, `http://0x7f.1:${port}/`, `//0177.0.0.1:${port}/`],
    ...[`http://[::ffff:127.0.0.1]:${port}/`, `http://[::7f00:1]:${port}/`, `http://[64:ff9b::7f00:1]:${port}/`],
    ...[`http://evil.example:${port}/`, `http://mixed.example:${port}/`, `http://none.example:${port}/`],
    ...[`http://localhost:${port}/`, `http://a.internal:${port}/`, `http://u:p@[::1]:${port}/`, 'file:///etc/passwd'],
    ...[`gopher://127.0.0.1:${port}/`, 'data:image/png;base64,iVBORw0KGgo=', `http:\\\\127.0.0.1:${port}/`, 'http://'],
    ...[`http://[::1]:${port}@127.0.0.1:${port}/`, `/${'a'.repeat(2048)}`],
  ]
  for (location of locations) {
    await fails(load(`${server.origin}/`, gate), 'bad_reference', /./)
  }
  assert.deepEqual([server.connections, canary.connections], [locations.length, 0])
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
