import assert from 'node:assert/strict'
import type { ErrorBody, GeneratedImage } from '@wombat/contract'

/** What a server answered, read to its end. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly text: string
  /** The body as JSON; throws for another one. */
  readonly json: unknown
  /** The body of a POST's success; fails for any other status than 200. */
  readonly images: readonly GeneratedImage[]
  /** The body of an error; fails when it does not have the shape that every error has. */
  readonly error: ErrorBody
}

export interface SendOptions {
  /** Null sends no Authorization at all. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as it is, in place of the body as JSON. Bytes are sent without a Content-Type, unless `headers` has one. */
  readonly rawBody?: string | Uint8Array<ArrayBuffer>
  /** Another address than the documented one. */
  readonly path?: string
  readonly signal?: AbortSignal
}

export const GENERATE = '/api/image-generation/'

export async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  const bytes = Buffer.from(await response.arrayBuffer())
  const answer = { status: response.status, headers: response.headers, bytes, text: bytes.toString('utf8') }
  return {
    ...answer,
    get json(): unknown {
      return JSON.parse(answer.text)
    },
    get images() {
      assert.equal(answer.status, 200, answer.text)
      return parseImages(answer.text)
    },
    get error() {
      return parseError(answer)
    },
  }
}

/** POSTs to the documented address, or to another one. */
export async function post(
  origin: string,
  body: unknown,
  { key, headers, rawBody, path, signal }: SendOptions,
): Promise<Answer> {
  const isJson = typeof rawBody !== 'object'
  return await send(`${origin}${path ?? GENERATE}`, {
    method: 'POST',
    headers: {
      ...(key == null ? {} : { authorization: `Bearer ${key}` }),
      ...(isJson ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    body: rawBody ?? JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
  })
}

function parseImages(text: string): GeneratedImage[] {
  const images: unknown = JSON.parse(text)
  assert.ok(Array.isArray(images), text)
  return images.map((image: unknown) => {
    assert.ok(typeof image === 'object' && image !== null && 'url' in image && 'alt' in image, text)
    const { url, alt } = image
    assert.ok(typeof url === 'string' && typeof alt === 'string', text)
    assert.deepEqual(Object.keys(image), ['url', 'alt'])
    return { url, alt }
  })
}

function parseError({ status, headers, text }: { status: number; headers: Headers; text: string }): ErrorBody {
  assert.ok(status >= 400, `${status} ${text}`)
  assert.match(headers.get('content-type') ?? '', /^application\/json/)
  const body = JSON.parse(text) as ErrorBody
  assert.equal(typeof body.error, 'string')
  assert.equal(body.message, body.error)
  assert.match(body.code, /^[a-z_]+$/)
  assert.match(body.requestId, /^[0-9a-f-]{36}$/)
  assert.equal(headers.get('x-request-id'), body.requestId)
  // What a client of the hosted API looks for in an answer.
  assert.doesNotMatch(text, /"url"\s*:/)
  return body
}
