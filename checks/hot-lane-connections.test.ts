import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { makeNow, orderOne, pathOf } from './image-tools.ts'
import { parseRaw, type RawAnswer } from './raw-http.ts'
import { startTestServer } from './server-fixture.ts'

// What hot-lane.test.ts leaves: tags, slow readers, how connections end.
const server = await startTestServer({ role: 'api', env: { IMAGE_SOFT_WAIT_SECONDS: '0' } })
after(() => server[Symbol.asyncDispose]())

let path = ''
let bytes: Buffer = Buffer.alloc(0)
let etag = ''

before(async () => {
  const imageId = await orderOne(server, { size: '1024x1024' })
  await makeNow(server.engine, imageId)
  path = pathOf(imageId)
  const answer = await server.get(path)
  bytes = answer.bytes
  etag = answer.headers.get('etag') ?? ''
})

/** A connection that is kept alive, on which requests are written as they are. */
function open(): { socket: Socket; ask(...parts: string[]): Promise<RawAnswer> } & Disposable {
  const { hostname, port } = new URL(server.url)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  // A listener for each answer is added by readAnswer, and goes with the socket.
  socket.setMaxListeners(0)
  socket.on('error', () => {})
  return {
    socket,
    async ask(...parts) {
      for (const [n, part] of parts.entries()) {
        // Apart, so that they arrive apart.
        await new Promise((resolve) => setTimeout(resolve, n === 0 ? 0 : 20))
        socket.write(part)
      }
      return await readAnswer(socket)
    },
    [Symbol.dispose]: () => socket.destroy(),
  }
}

/** Reads exactly one answer, and leaves what is behind it for the next call. */
async function readAnswer(socket: Socket): Promise<RawAnswer> {
  let text = ''
  for (;;) {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) {
      await Promise.race([once(socket, 'readable'), once(socket, 'close')])
      assert.ok(!socket.destroyed, `the connection was closed after: ${text.slice(0, 200)}`)
      continue
    }
    text += chunk.toString('latin1')
    const bodyAt = text.indexOf('\r\n\r\n') + 4
    if (bodyAt > 4) {
      const { status, headers } = parseRaw(text.slice(0, bodyAt))
      const hasBody = status !== 304 && status !== 204
      const end = bodyAt + (hasBody ? Number(headers.get('content-length') ?? 0) : 0)
      if (text.length >= end) {
        socket.unshift(Buffer.from(text.slice(end), 'latin1'))
        return parseRaw(text.slice(0, end))
      }
    }
  }
}

const get = (...headers: string[]) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`

function assertWhole(answer: RawAnswer) {
  assert.equal(answer.status, 200)
  assert.ok(Buffer.from(answer.body, 'latin1').equals(bytes))
}

describe('a plain GET of an image in memory', () => {
  test('compares tags as RFC 9110 has it', async () => {
    for (const [tags, status] of [
      ['"another"', 200],
      [`W/${etag}`, 304],
      [`"another", ${etag}`, 304],
      ['*', 304],
      [`${etag}\r\nIf-None-Match: "another"`, 304],
    ] as const) {
      using connection = open()
      assertWhole(await connection.ask(get()))
      assert.equal((await connection.ask(get(`If-None-Match: ${tags}`))).status, status, tags)
    }
  })
})

describe('on a connection that began with such a GET', () => {
  test('who does not read gets no more than he asked for, in its order', async () => {
    using connection = open()
    connection.socket.pause()
    for (let n = 0; n < 50; n += 1) {
      connection.socket.write(get())
      await new Promise((resolve) => setImmediate(resolve))
    }
    connection.socket.resume()
    connection.socket.pause()
    for (let n = 0; n < 50; n += 1) {
      assertWhole(await connection.ask())
    }
  })

  test('what is no request is refused, and nothing behind it is answered', async () => {
    for (const [wrong, status] of [
      [`GET ${path} HTTP/1.1\r\n\r\n`, 400],
      [`get ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, 400],
      [`GET ${path} HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n`, 400],
      [`GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: a\0b\r\n\r\n`, 400],
      [`GET ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ] as const) {
      using connection = open()
      assertWhole(await connection.ask(get()))
      assert.equal((await connection.ask(wrong)).status, status, wrong)
    }
  })

  test('Connection: close closes it, and HTTP/1.0 does', async () => {
    for (const last of [get('Connection: close'), `GET ${path} HTTP/1.0\r\n\r\n`]) {
      using connection = open()
      assertWhole(await connection.ask(get()))
      assertWhole(await connection.ask(last))
      connection.socket.resume()
      await once(connection.socket, 'close')
    }
  })
})

test('who closes its side with the request gets the answer all the same, and then the end', async () => {
  const { hostname, port } = new URL(server.url)
  for (const first of ['', get()]) {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    if (first !== '') {
      socket.write(first)
      assertWhole(await readAnswer(socket))
    }
    socket.end(get())
    assertWhole(await readAnswer(socket))
    socket.resume()
    await once(socket, 'close')
  }
})

test('a connection that sends nothing at first is not lost', async () => {
  using connection = open()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  assertWhole(await connection.ask(get()))
})
