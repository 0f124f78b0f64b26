import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { test } from 'node:test'
import { ProviderError, type Reference } from '../provider.ts'
import { type FetchLimits, fetchPictures } from './fetch-pictures.ts'
import { createGate } from './gate.ts'
import { fakePng, startLoopbackServer } from './loopback-server.fixture.ts'

const LIMITS: FetchLimits = {
  totalMs: 5000,
  tryMs: 1000,
  firstByteMs: 500,
  maxBytes: 1000,
  maxRedirects: 3,
  retryDelaysMs: [10, 20],
}
const never = new AbortController().signal

async function serve(listener: RequestListener) {
  const server = await startLoopbackServer(listener)
  const gate = createGate([`127.0.0.1:${server.port}`])
  return {
    server,
    fetch: (paths: readonly string[], limits: Partial<FetchLimits> = {}, signal = never): Promise<Reference[]> =>
      fetchPictures(
        paths.map((path) => server.origin + path),
        { gate, limits: { ...LIMITS, ...limits }, signal },
      ),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

async function failure(fetching: Promise<unknown>): Promise<{ failure: string; message: string }> {
  const error = await fetching.then(
    () => assert.fail('it was fetched'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ProviderError, String(error))
  return { failure: error.failure, message: error.message }
}

test('pictures come in the order of their URLs, at most two at once', async () => {
  let most = 0
  await using site = await serve((request, reply) => {
    most = Math.max(most, site.server.open)
    const size = Number(request.url?.slice(1))
    setTimeout(() => reply.end(fakePng(size)), 200 - size)
  })
  const sizes = [100, 190, 120, 150, 110]
  const pictures = await site.fetch(sizes.map((size) => `/${size}`))
  assert.deepEqual(
    pictures.map(({ bytes }) => bytes.length),
    sizes,
  )
  assert.equal(most, 2)
  assert.deepEqual(await site.fetch([]), [])
})

test('the type is what the first bytes say, whatever the header claims', async () => {
  const bodies: Record<string, Buffer> = {
    '/jpeg': Buffer.from('\xff\xd8\xff\xe0 and so on', 'latin1'),
    '/png': fakePng(),
    '/webp': Buffer.from('RIFF\x10\0\0\0WEBPVP8 ', 'latin1'),
    '/gif': Buffer.from('GIF89a and so on'),
    '/svg': Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    '/wave': Buffer.from('RIFF\x10\0\0\0WAVEfmt ', 'latin1'),
    '/avif': Buffer.from('\0\0\0\x20ftypavif and so on', 'latin1'),
    '/html': Buffer.from('<!doctype html><title>Not here</title>'),
    '/short': Buffer.from('\xff\xd8', 'latin1'),
    '/empty': Buffer.alloc(0),
  }
  await using site = await serve((request, reply) => {
    reply.writeHead(200, { 'content-type': 'image/png' }).end(bodies[request.url ?? ''])
  })
  const found = await site.fetch(['/jpeg', '/png', '/webp'])
  assert.deepEqual(
    found.map(({ contentType }) => contentType),
    ['image/jpeg', 'image/png', 'image/webp'],
  )
  for (const path of ['/gif', '/svg', '/wave', '/avif', '/html', '/short', '/empty']) {
    const answer = await failure(site.fetch(['/png', path]))
    assert.deepEqual(answer, { failure: 'bad_reference', message: 'reference 2: not a JPEG, PNG or WebP' })
  }
})

test('what may pass is tried three times in all, and then it is a bad reference', async () => {
  let left = 2
  await using site = await serve((request, reply) => {
    left -= 1
    reply.writeHead(request.url === '/heals' && left < 0 ? 200 : 503).end(fakePng())
  })
  assert.equal((await site.fetch(['/heals'])).length, 1)
  assert.equal(site.server.connections, 3)
  const answer = await failure(site.fetch(['/never']))
  assert.deepEqual(answer, { failure: 'bad_reference', message: 'reference 1: answered 503 (3 tries)' })
  assert.equal(site.server.connections, 6)
})

test('what does not pass is asked for once, and ends the others', async () => {
  await using site = await serve((request, reply) => {
    if (request.url === '/404') {
      reply.writeHead(404).end()
    }
  })
  const startedMs = performance.now()
  const answer = await failure(site.fetch(['/silent', '/404', '/later', '/later']))
  assert.deepEqual(answer, { failure: 'bad_reference', message: 'reference 2: answered 404' })
  assert.ok(performance.now() - startedMs < LIMITS.firstByteMs)
  assert.deepEqual(site.server.paths.toSorted(), ['/404', '/silent'])
})

test('all together end with the time, whatever is still to be tried', async () => {
  await using site = await serve(() => {})
  const limits = { totalMs: 300, firstByteMs: 200, retryDelaysMs: [10_000] }
  const startedMs = performance.now()
  const answer = await failure(site.fetch(['/a', '/b', '/c'], limits))
  assert.deepEqual(answer, { failure: 'bad_reference', message: 'references not there within 300 ms' })
  assert.ok(performance.now() - startedMs < 1000)
})

test('a call that is called off is transient, while it loads and while it waits', async () => {
  await using site = await serve((request, reply) => {
    if (request.url === '/503') {
      reply.writeHead(503).end()
    }
  })
  for (const path of ['/silent', '/503']) {
    const answer = await failure(site.fetch([path], { retryDelaysMs: [10_000] }, AbortSignal.timeout(100)))
    assert.deepEqual(answer, { failure: 'transient', message: 'called off while references were fetched' })
  }
  assert.equal((await failure(site.fetch(['/silent'], {}, AbortSignal.abort()))).failure, 'transient')
  assert.equal(site.server.connections, 2)
})

test('a shortage of this machine is not the fault of a reference', async () => {
  const lacking = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
  const gate = { ...createGate([]), resolve: () => Promise.reject(lacking) }
  const answer = await failure(fetchPictures(['http://a.example/'], { gate, limits: LIMITS, signal: never }))
  assert.deepEqual(answer, { failure: 'transient', message: 'reference 1: the connection failed: EMFILE (3 tries)' })
})

test('no message has the URL in it', async () => {
  await using site = await serve((_request, reply) => reply.writeHead(403).end())
  for (const url of [`${site.server.origin}/?token=secret`, 'http://secret@127.0.0.1/', 'http://127.0.0.1/secret']) {
    const gate = createGate([`127.0.0.1:${site.server.port}`])
    const { message } = await failure(fetchPictures([url], { gate, limits: LIMITS, signal: never }))
    assert.doesNotMatch(message, /secret/)
  }
})
