import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProviderError } from '@wombat/generation'
import { openReferences, type References } from './references.ts'

/** One red pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
)
const DELAY_MS = 50
const never = new AbortController().signal

let paths: string[] = []
let port = 0
let references: References
const server = createServer((request, reply) => {
  paths.push(request.url ?? '')
  const isWhole = request.url?.startsWith('/whole') === true
  setTimeout(() => {
    reply.writeHead(request.url === '/gone' ? 404 : 200).end(isWhole ? PNG : PNG.subarray(0, 50))
  }, DELAY_MS)
})

before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  port = address.port
})
beforeEach(() => {
  paths = []
  references = openReferences([`127.0.0.1:${port}`])
})
after(() => void server.close())

function load(requestId: string, wanted: readonly string[], signal = never) {
  const referenceImages = wanted.map((path) => `http://127.0.0.1:${port}${path}`)
  return references.load({ requestId, referenceImages }, signal)
}

async function failureOf(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => assert.fail('it was loaded'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof ProviderError, String(error))
  return error.failure
}

test('the images of a request share a download, at once and one after the other; other requests have their own', async () => {
  const [first, second] = await Promise.all([load('a', ['/whole']), load('a', ['/whole']), load('b', ['/whole'])])
  assert.deepEqual(first, [{ bytes: PNG, contentType: 'image/png' }])
  assert.equal(second[0]?.bytes, first[0]?.bytes)
  assert.equal((await load('a', ['/whole']))[0]?.bytes, first[0]?.bytes)
  assert.equal(paths.length, 2)
})

test('a request without references downloads nothing', async () => {
  assert.deepEqual(await load('a', []), [])
  assert.equal(paths.length, 0)
})

test('what can not be had, or is damaged behind a good beginning, is refused once for all images', async () => {
  for (const path of ['/gone', '/damaged']) {
    const failures = await Promise.all([1, 2, 3].map(() => failureOf(load(path, ['/whole', path]))))
    assert.deepEqual([...failures, await failureOf(load(path, ['/whole', path]))], Array(4).fill('bad_reference'))
  }
  assert.deepEqual(paths.toSorted(), ['/damaged', '/gone', '/whole', '/whole'])
})

test('an image that is called off leaves at once, and the others get theirs', async () => {
  const controller = new AbortController()
  const leaving = failureOf(load('a', ['/whole'], controller.signal))
  const staying = load('a', ['/whole'])
  controller.abort()
  assert.equal(await leaving, 'transient')
  assert.equal((await staying).length, 1)
  assert.equal(await failureOf(load('b', ['/whole'], AbortSignal.abort())), 'transient')
  assert.equal(paths.filter((path) => path === '/whole').length, 1)
})

test('a download that nobody waits for any more ends, and a later image begins another', async () => {
  const controller = new AbortController()
  const leaving = failureOf(load('a', ['/whole/1', '/whole/2', '/whole/3'], controller.signal))
  await sleep(DELAY_MS / 2)
  controller.abort()
  assert.equal(await leaving, 'transient')
  await sleep(DELAY_MS * 3)
  assert.deepEqual(paths.toSorted(), ['/whole/1', '/whole/2'])
  assert.equal((await load('a', ['/whole/1'])).length, 1)
})
