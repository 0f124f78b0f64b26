import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { after, before, beforeEach, describe, test } from 'node:test'
import { startOpenAiEmulator } from '@wombat/testing'
import sharp from 'sharp'
import { order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

/** A server on loopback that notes what it is asked for, and who connects. */
async function startSite(listener: RequestListener, { address = '127.0.0.1', port = 0 } = {}) {
  const site = { port: 0, connections: 0, paths: [] as string[], close: () => server.close() }
  const server = createServer((request, reply) => {
    site.paths.push(request.url ?? '')
    listener(request, reply)
  })
  server.on('connection', () => {
    site.connections += 1
  })
  server.listen(port, address)
  await once(server, 'listening')
  const own = server.address()
  assert.ok(typeof own === 'object' && own !== null)
  site.port = own.port
  return site
}

const EIGHT_MB = 8 * 1000 * 1000
const photo = await sharp({ create: { width: 640, height: 480, channels: 3, background: '#a0522d' } })
  .jpeg()
  .toBuffer()
const bodies = new Map<string, Buffer>([
  ['/photo.jpg', photo],
  ['/photo.webp', await sharp(photo).webp().toBuffer()],
  ['/half.jpg', photo.subarray(0, photo.length / 2)],
  ['/page.png', Buffer.from('<!doctype html><title>Not here</title>')],
  ['/empty.png', Buffer.alloc(0)],
  ['/vector.svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect/></svg>')],
  ['/anim.gif', await sharp(photo).gif().toBuffer()],
  // A signature does not make a picture: SVG, and nothing, behind that of a PNG.
  ['/vector.png', Buffer.from('\x89PNG\r\n\x1a\n<svg xmlns="http://www.w3.org/2000/svg"/>', 'latin1')],
  ['/large.jpg', Buffer.concat([photo, Buffer.alloc(20 * 1024 * 1024)])],
  ['/eight-mb.png', await noise()],
])

/** A whole PNG of a little more than 8 MB: noise can't be compressed. */
async function noise(): Promise<Buffer> {
  const raw = { width: 1700, height: 1600, channels: 3 } as const
  const bytes = Buffer.alloc(raw.width * raw.height * raw.channels)
  crypto.getRandomValues(new Uint32Array(bytes.buffer, 0, 16_000))
  for (let at = 64_000; at < bytes.length; at += 64_000) {
    bytes.copy(bytes, at, 0, Math.min(64_000, bytes.length - at))
    bytes.writeUInt32LE(at, at - 4)
  }
  return await sharp(bytes, { raw }).png({ compressionLevel: 0 }).toBuffer()
}

const emulator = await startOpenAiEmulator()
const canary = await startSite((_request, reply) => reply.end(photo))
const canary6 = await startSite((_request, reply) => reply.end(photo), { address: '::1', port: canary.port })
let target = ''
const site = await startSite((request, reply) => {
  if (request.url === '/redirect') {
    reply.writeHead(302, { location: target }).end()
  } else if (request.url === '/gzip.jpg') {
    reply.writeHead(200, { 'content-encoding': 'gzip' }).end(photo)
  } else {
    const body = bodies.get(request.url ?? '')
    reply.writeHead(body === undefined ? 404 : 200, { 'content-type': 'image/png' }).end(body)
  }
})
const closed = await startSite(() => {})
closed.close()

let server: TestServer
let balance = 0
before(async () => {
  const env = {
    OPENAI_API_KEY: 'sk-check',
    OPENAI_BASE_URL: emulator.url,
    REFERENCE_ALLOW_HOSTS: `127.0.0.1:${site.port},127.0.0.1:${closed.port}`,
  }
  server = await startTestServer({ env })
})
beforeEach(async () => {
  site.paths.length = 0
  balance = await server.balance()
})
after(async () => {
  await server[Symbol.asyncDispose]()
  await emulator.close()
  for (const one of [site, canary, canary6]) {
    one.close()
  }
})

const at = (path: string) => `http://127.0.0.1:${site.port}${path}`

/** The pictures of the last edit that OpenAI was asked for. */
function sentFiles() {
  const request = emulator.requests.at(-1)
  assert.equal(request?.path, '/v1/images/edits')
  return (request.files ?? []).map(({ field, contentType, bytes }) => ({ field, contentType, bytes }))
}

/** All failures read the same, so that none tells what is behind an address. */
async function refuses(reference: string): Promise<void> {
  const calls = emulator.requests.length
  const id = await orderOne(server, { referenceImages: [at('/photo.jpg'), reference] })
  const answer = await server.get(pathOf(id))
  assert.equal(answer.status, 422, `${reference} ${answer.text.slice(0, 200)}`)
  const { requestId, ...body } = answer.error
  assert.deepEqual(body, {
    error: 'A reference image could not be fetched or used.',
    message: 'A reference image could not be fetched or used.',
    code: 'bad_reference',
    details: { refunded: true },
    refunded: true,
  })
  assert.equal(await server.balance(), balance, reference)
  assert.equal(emulator.requests.length, calls, 'nothing was sent to OpenAI')
}

describe('references', () => {
  test('of an allowed host reach the image model as they are, in their order', async () => {
    const id = await orderOne(server, { referenceImages: [at('/photo.webp'), at('/photo.jpg')] })
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.deepEqual(sentFiles(), [
      { field: 'image[]', contentType: 'image/webp', bytes: bodies.get('/photo.webp') },
      { field: 'image[]', contentType: 'image/jpeg', bytes: photo },
    ])
    assert.equal(await server.balance(), balance - 1)
  })

  test('are downloaded once for the four images of a request', async () => {
    const ids = await order(server, { numImages: 4, referenceImages: [at('/photo.jpg'), at('/photo.webp')] })
    const statuses = await Promise.all(ids.map(async (id) => (await server.get(pathOf(id))).status))
    assert.deepEqual(statuses, [200, 200, 200, 200])
    assert.deepEqual(site.paths.toSorted(), ['/photo.jpg', '/photo.webp'])
  })

  test('may be five of 8 MB', async () => {
    const bytes = bodies.get('/eight-mb.png') ?? Buffer.alloc(0)
    assert.ok(bytes.length > EIGHT_MB && bytes.length < 1.05 * EIGHT_MB, `${bytes.length}`)
    const id = await orderOne(server, { referenceImages: Array(5).fill(at('/eight-mb.png')) })
    assert.equal((await server.get(pathOf(id))).status, 200)
    const files = sentFiles()
    assert.equal(files.length, 5)
    assert.ok(files.every((file) => file.bytes.equals(bytes)))
  })

  test('are followed through a redirect to an allowed host', async () => {
    target = at('/photo.jpg')
    const id = await orderOne(server, { referenceImages: [at('/redirect')] })
    assert.equal((await server.get(pathOf(id))).status, 200)
    assert.equal(sentFiles().length, 1)
  })
})

describe('an image with a bad reference fails with a refund when it', () => {
  for (const path of [
    'page.png',
    'empty.png',
    'vector.svg',
    'anim.gif',
    'vector.png',
    'half.jpg',
    'large.jpg',
    'gzip.jpg',
    'no.png',
  ]) {
    test(`is ${path}`, () => refuses(at(`/${path}`)))
  }

  test('is not there, after three tries', () => refuses(`http://127.0.0.1:${closed.port}/`))

  test('leads to a closed address, itself or by a redirect, and no connection is made', async () => {
    for (const host of [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::127.0.0.1]',
      'localhost',
    ]) {
      const url = `http://${host}:${canary.port}/photo.jpg`
      await refuses(url)
      target = url
      await refuses(at('/redirect'))
    }
    for (const url of [
      `https://127.0.0.1:${site.port + 1}/`,
      `http://localhost:${site.port}/photo.jpg`,
      'http://[::1]/',
      'http://redis/',
    ]) {
      await refuses(url)
    }
    target = 'file:///etc/passwd'
    await refuses(at('/redirect'))
    assert.deepEqual([canary.connections, canary6.connections], [0, 0])
  })

  test('is shared by four images: all fail, each with its own refund', async () => {
    const ids = await order(server, { numImages: 4, referenceImages: [at('/no.png')] })
    const codes = await Promise.all(ids.map(async (id) => (await server.get(pathOf(id))).error.code))
    assert.deepEqual(codes, Array(4).fill('bad_reference'))
    assert.equal(await server.balance(), balance)
    assert.deepEqual(site.paths, ['/no.png'])
    const refunds = await query(server.databaseUrl, `SELECT FROM attempts WHERE image_id = ANY ($1)`, [ids])
    assert.equal(refunds.length, 0, 'no attempt was opened')
  })
})
