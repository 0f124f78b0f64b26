import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type Engine, produceNext } from '@wombat/engine'
import { claimImage, encodeImage, makeReady } from '@wombat/images'
import sharp from 'sharp'
import { query } from './query.ts'
import type { Answer, SendOptions } from './send.ts'

export { query } from './query.ts'

interface Poster {
  post(body: unknown, options?: SendOptions): Promise<Answer>
}

/** The id in an image's URL. */
export function idOf(url: string): string {
  const id = /\/api\/image\/(v2-[0-9a-z]{9}-[0-9a-z]{9})\.jpg$/.exec(url)?.[1]
  assert.ok(id !== undefined, url)
  return id
}

/** Orders images and answers their ids. Without fields: one picture of the smallest price, prompt unchanged. */
export async function order(server: Poster, fields: Readonly<Record<string, unknown>> = {}): Promise<string[]> {
  const answer = await server.post({ prompt: 'wombat', enhancePrompt: 'off', ...fields })
  return answer.images.map(({ url }) => idOf(url))
}

/** Orders one image and answers its id. */
export async function orderOne(server: Poster, fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const [id] = await order(server, { ...fields, numImages: 1 })
  assert.ok(id !== undefined)
  return id
}

export function pathOf(id: string): string {
  return `/api/image/${id}.jpg`
}

/** Makes a queued image now, in this process: for servers of the role `api`, whose images wait for the test. */
export async function makeNow(engine: Engine, id: string): Promise<void> {
  await produceNext(engine, { model: await modelOf(engine, id), imageId: id }, new AbortController().signal)
}

export async function modelOf(engine: Engine, id: string): Promise<string> {
  const [row] = await query(engine.db.url, 'SELECT model FROM images WHERE id = $1', [id])
  return String(row?.model)
}

/** For claims by a test: a route that is always free. */
export const CHECK_ROUTES = [{ id: 'check', most: 100_000, per_minute: null }]

/** Finishes a queued image at once, with a picture that is there already. */
export async function finishNow(engine: Engine, id: string, contentType: 'image/jpeg' | 'image/png'): Promise<void> {
  const model = await modelOf(engine, id)
  const claimed = await claimImage(engine.db, {
    model,
    imageId: id,
    owner: 'check',
    leaseSeconds: 30,
    routes: CHECK_ROUTES,
  })
  assert.ok(claimed !== undefined)
  const { bytes, sha256 } = await PICTURES[contentType]
  const objectKey = `images/${id.slice(3, 5)}/${id}/${claimed.fence}.${contentType === 'image/png' ? 'png' : 'jpg'}`
  await engine.store.put(objectKey, bytes, contentType)
  const { fence } = claimed
  const ready = { imageId: id, fence, provider: 'check', objectKey, contentType, sizeBytes: bytes.length, sha256 }
  assert.ok(await makeReady(engine.db, ready))
}

const PICTURES = { 'image/jpeg': paint(false), 'image/png': paint(true) }

async function paint(isOriginalPreserved: boolean) {
  const sides = { width: 640, height: 480 }
  const png = await sharp({ create: { ...sides, channels: 3, background: '#a0522d' } })
    .png()
    .toBuffer()
  return await encodeImage(png, { ...sides, isOriginalPreserved })
}

/** Decodes every pixel and answers what it was; throws when a byte is missing. */
export async function decode(bytes: Uint8Array): Promise<{ format: string; width: number; height: number }> {
  const image = sharp(bytes, { failOn: 'warning' })
  const { format, width, height } = await image.metadata()
  const { info } = await image.raw().toBuffer({ resolveWithObject: true })
  assert.deepEqual([info.width, info.height], [width, height])
  return { format, width, height }
}

/** How many images there are in each state. */
export async function countStates(databaseUrl: string): Promise<Record<string, number>> {
  const rows = await query(databaseUrl, 'SELECT status, count(*)::int AS n FROM images GROUP BY status')
  return Object.fromEntries(rows.map(({ status, n }) => [String(status), Number(n)]))
}

export interface RawExchange {
  /** All bytes so far, headers included. */
  readonly received: Buffer
  /** How the server ended it: not yet, in an orderly way, or by a reset. */
  readonly end: 'open' | 'closed' | 'reset'
  readonly closed: Promise<void>
  write(text: string): void
  destroy(): void
}

/** An exchange on a bare socket, for what an HTTP client hides: resets, HTTP/1.0, requests that are no HTTP. */
export async function openRaw(origin: string, text: string): Promise<RawExchange> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  const chunks: Buffer[] = []
  let end: RawExchange['end'] = 'open'
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('end', () => {
    end = 'closed'
  })
  socket.on('error', (error) => {
    assert.ok('code' in error && error.code === 'ECONNRESET', String(error))
    end = 'reset'
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(text)
  return {
    get received() {
      return Buffer.concat(chunks)
    },
    get end() {
      return end
    },
    closed,
    write: (more) => void socket.write(more),
    destroy: () => void socket.destroy(),
  }
}

/** The request line and headers of a GET, or of another method or version, for `openRaw`. */
export function requestText(path: string, { method = 'GET', version = '1.1', headers = {} } = {}): string {
  const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/${version}\r\n${lines.join('')}\r\n`
}

/** The body of a chunked answer, as far as it has come, and whether the last chunk has. */
export function readChunks(received: Buffer): { head: string; body: Buffer; isComplete: boolean } {
  const headEnd = received.indexOf('\r\n\r\n')
  const head = received.toString('latin1', 0, headEnd === -1 ? undefined : headEnd)
  const parts: Buffer[] = []
  let at = headEnd === -1 ? received.length : headEnd + 4
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at)
    const size = lineEnd === -1 ? Number.NaN : Number.parseInt(received.toString('latin1', at, lineEnd), 16)
    if (Number.isNaN(size) || size === 0) {
      return { head, body: Buffer.concat(parts), isComplete: size === 0 }
    }
    parts.push(received.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}

/** Anybody's page may show it, and no browser guesses another type. */
export function assertOpen(headers: Headers) {
  assert.equal(headers.get('access-control-allow-origin'), '*')
  assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin')
  assert.equal(headers.get('x-content-type-options'), 'nosniff')
}
