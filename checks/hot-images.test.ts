import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { makeNow, orderOne, pathOf } from './image-tools.ts'
import { parseRaw, type RawAnswer } from './raw-http.ts'
import { startTestServer } from './server-fixture.ts'

// Plain GETs of images in memory are answered past Node's HTTP: nobody may notice but by the clock.
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

/** Through Node's HTTP, since nobody else knows this header. */
const OTHER = 'X-Nobody-Knows: 1'

function assertWhole(answer: RawAnswer) {
  assert.equal(answer.status, 200)
  assert.ok(Buffer.from(answer.body, 'latin1').equals(bytes))
}

describe('a plain GET of an image in memory', () => {
  test('gets the same headers as any other request for it, and the whole image', async () => {
    using connection = open()
    const hot = await connection.ask(get('Accept: */*'))
    assertWhole(hot)
    const other = await connection.ask(get('Accept: */*', OTHER))
    assertWhole(other)
    assert.deepEqual(comparable(hot), comparable(other))
  })

  test('gets a 304 for its ETag, with the same headers as any other request for it', async () => {
    using connection = open()
    const hot = await connection.ask(get(`If-None-Match: ${etag}`))
    assert.equal(hot.status, 304)
    assert.equal(hot.body, '')
    const other = await connection.ask(get(`If-None-Match: ${etag}`, OTHER))
    assert.equal(other.status, 304)
    assert.deepEqual(comparable(hot), comparable(other))
  })

  test('compares tags as RFC 9110 has it', async () => {
    using connection = open()
    for (const [tags, status] of [
      ['"another"', 200],
      [`W/${etag}`, 304],
      [`"another", ${etag}`, 304],
      ['*', 304],
      [`${etag}\r\nIf-None-Match: "another"`, 304],
    ] as const) {
      assert.equal((await connection.ask(get(`If-None-Match: ${tags}`))).status, status, tags)
    }
  })

  test('has a request id of its own each time', async () => {
    using connection = open()
    const ids = [await connection.ask(get()), await connection.ask(get())].map(({ headers }) =>
      headers.get('x-request-id'),
    )
    assert.match(ids[0] ?? '', /^[0-9a-f-]{36}$/)
    assert.notEqual(ids[0], ids[1])
  })
})

function comparable({ headers }: RawAnswer) {
  const same = [...headers].filter(([name]) => name !== 'x-request-id' && name !== 'date').sort()
  assert.match(headers.get('date') ?? '', /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
  return same
}

describe('on a connection that began with such a GET', () => {
  test('every other request is answered as it should, and hot ones after it too', async () => {
    using connection = open()
    assertWhole(await connection.ask(get()))
    assertWhole(await connection.ask(get()))
    const range = await connection.ask(get('Range: bytes=2-5'))
    assert.equal(range.status, 206)
    assert.ok(Buffer.from(range.body, 'latin1').equals(bytes.subarray(2, 6)))
    const body = JSON.stringify({ prompt: 'a hot day' })
    const post = await connection.ask(
      `POST /api/image-generation/ HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${server.apiKey}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
      body,
    )
    assert.equal(post.status, 200, post.body)
    assertWhole(await connection.ask(get()))
    assert.equal((await connection.ask(get('If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT'))).status, 304)
  })

  test('a request in pieces, and two in one piece, are answered in their order', async () => {
    using connection = open()
    assertWhole(await connection.ask(get()))
    assertWhole(await connection.ask(get().slice(0, 20), get().slice(20)))
    using second = open()
    assertWhole(await second.ask(get()))
    assertWhole(await second.ask(get() + get(`If-None-Match: ${etag}`)))
    assert.equal((await second.ask()).status, 304)
  })

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

  test('a body that nobody expects is not taken for a request', async () => {
    using connection = open()
    const inner = get()
    const answer = await connection.ask(get(`Content-Length: ${inner.length}`) + inner)
    assertWhole(answer)
    assertWhole(await connection.ask(get()))
    connection.socket.end()
    connection.socket.resume()
    await once(connection.socket, 'close')
  })
})

test('a connection that sends nothing at first is not lost', async () => {
  using connection = open()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  assertWhole(await connection.ask(get()))
})

test('an idle connection does not hold up the end', async () => {
  await using other = await startTestServer({ beside: server, role: 'api', env: { SHUTDOWN_GRACE_SECONDS: '20' } })
  const { hostname, port } = new URL(other.url)
  const socket = connect({ host: hostname, port: Number(port) })
  socket.on('error', () => {})
  socket.write(get())
  await once(socket, 'data')
  socket.resume()
  const startedMs = performance.now()
  await other.stop()
  assert.ok(performance.now() - startedMs < 5_000)
  assert.ok(socket.closed || (await once(socket, 'close')))
})
