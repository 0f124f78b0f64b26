/** The vendor's page once more: its examples, letter by letter, and the rows that only the image shows. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { COMPLETE_EXAMPLE, EXAMPLE_REQUEST } from './complete-example.ts'
import { readPicture } from './picture.ts'
import { startTestServer } from './server-fixture.ts'

const LATENCY_MS = 600
const server = await startTestServer({ env: { SYNTHETIC_LATENCY_MS: String(LATENCY_MS) } })
after(() => server[Symbol.asyncDispose]())

/** Runs code as a user would, with nothing changed but the host and the key. */
async function runExample(code: string): Promise<string> {
  const mine = code.replaceAll('https://koala.sh', server.url).replaceAll('YOUR_API_KEY', server.apiKey)
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', mine])
  return stdout
}

test('Example Request: answers what the Example Response shows', async () => {
  const stdout = await runExample(
    `const response = await ${EXAMPLE_REQUEST}\nconsole.log(response.status, await response.text())`,
  )
  const [, status, body = ''] = /^(\d+) (.*)\n$/.exec(stdout) ?? []
  assert.equal(status, '200')
  const images: unknown = JSON.parse(body)
  assert.ok(Array.isArray(images) && images.length === 1)
  assert.deepEqual(Object.keys(images[0]), ['url', 'alt'])
  assert.match(
    body,
    /^\[\{"url":"http:\/\/127\.0\.0\.1:\d+\/api\/image\/v2-[0-9a-z]+-[0-9a-z]+\.jpg","alt":"A watercolor painting of a cat"\}\]$/,
  )
})

test('Complete Example: runs and prints two URLs with their alt texts', async () => {
  const stdout = await runExample(COMPLETE_EXAMPLE)
  const alt = ' Alt: A watercolor painting of a majestic mountain landscape with a lake reflecting the sunrise'
  const url = /^http:\/\/127\.0\.0\.1:\d+\/api\/image\/v2-[0-9a-z]{9}-[0-9a-z]{9}\.jpg$/
  const lines = stdout.trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => line.replace(/http\S+/, (text) => (url.test(text) ? 'URL' : text))),
    ['Generated 2 images:', 'Image 1: URL', alt, 'Image 2: URL', alt],
  )
  const picture = await server.get(lines[1]?.split(' ')[2] ?? '')
  assert.equal(picture.headers.get('content-type'), 'image/jpeg')
  assert.deepEqual(readPicture(picture.bytes), { type: 'image/jpeg', size: '1792x1008' })
})

test('Heads up: the URL comes before the image, and requesting it right away blocks until it is ready', async () => {
  const began = performance.now()
  const [image] = (await server.post({ prompt: 'a cat that takes its time' })).images
  const { status } = (await server.get(`${image?.url.replace(/jpg$/, 'json')}`)).json as { status: string }
  assert.match(status, /^(queued|processing)$/)
  const answer = await server.get(image?.url ?? '')
  assert.ok(performance.now() - began >= LATENCY_MS)
  assert.equal(answer.status, 200)
  assert.equal(readPicture(answer.bytes).type, 'image/jpeg')
})

test('Parameters, size: gpt-image-2 makes its native size and another model the listed one, pixel for pixel', async () => {
  const sizeOf = async (body: object) => {
    const [image] = (await server.post({ prompt: 'cat', ...body })).images
    return readPicture((await server.get(image?.url ?? '')).bytes).size
  }
  assert.deepEqual(await Promise.all([sizeOf({ size: '832x1216' }), sizeOf({ size: '832x1216', model: 'standard' })]), [
    '1024x1536',
    '832x1216',
  ])
})

test('Parameters, preserveOriginal: a PNG under a .jpg URL for gpt-image-2, ignored for others', async () => {
  const fetchOne = async (body: object) => {
    const [image] = (await server.post({ prompt: 'cat', preserveOriginal: true, ...body })).images
    assert.match(image?.url ?? '', /\.jpg$/)
    const answer = await server.get(image?.url ?? '')
    return { header: answer.headers.get('content-type'), bytes: readPicture(answer.bytes).type }
  }
  const [preserved, other, plain] = await Promise.all([
    fetchOne({}),
    fetchOne({ model: 'standard' }),
    fetchOne({ preserveOriginal: false }),
  ])
  assert.deepEqual(preserved, { header: 'image/png', bytes: 'image/png' })
  assert.deepEqual(other, { header: 'image/jpeg', bytes: 'image/jpeg' })
  assert.deepEqual(plain, { header: 'image/jpeg', bytes: 'image/jpeg' })
})

test('Response Format, url and alt: always there, always strings, and nothing beside them', async () => {
  const answer = await server.post({ prompt: 'cat', numImages: 3 })
  assert.match(answer.text, /^\[(\{"url":"[^"]+","alt":""\},?){3}\]$/)
})
