/** A hot image is answered past Node's HTTP: nobody may see a difference, whatever else is sent on the connection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { startTestServer, type TestServer } from './server-fixture.ts'

interface RawResponse {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** Sends each part when the answers to the ones before have come (`after`), and reads `count` answers in all. */
async function exchange(
  url: string,
  parts: readonly { text: string; after: number }[],
  { count, methods = [] }: { count: number; methods?: readonly string[] },
): Promise<RawResponse[]> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const answers: RawResponse[] = []
  const left = [...parts]
  let bytes = Buffer.alloc(0)
  const sendDue = () => {
    while (left[0] !== undefined && left[0].after <= answers.length) {
      socket.write(left.shift()?.text ?? '')
    }
  }
  await once(socket, 'connect')
  sendDue()
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk])
    for (;;) {
      const answer = readOne(bytes, methods[answers.length] ?? 'GET')
      if (answer === undefined) {
        break
      }
      answers.push(answer.response)
      bytes = bytes.subarray(answer.length)
    }
    sendDue()
    if (answers.length >= count) {
      break
    }
  }
  assert.equal(bytes.length, 0, 'nothing is left over')
  return answers
}

function readOne(bytes: Buffer, method: string): { response: RawResponse; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) {
    return undefined
  }
  const [line = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers = new Map(
    fields.map((field) => {
      const colon = field.indexOf(':')
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const
    }),
  )
  const status = Number(line.split(' ')[1])
  const size = status === 304 || method === 'HEAD' ? 0 : Number(headers.get('content-length'))
  const length = end + 4 + size
  return bytes.length < length
    ? undefined
    : { response: { status, headers, body: bytes.subarray(end + 4, length) }, length }
}

describe('a hot image', () => {
  let server: TestServer
  let path = ''
  let bytes: Buffer
  before(async () => {
    server = await startTestServer()
    const { images } = await server.post({ prompt: 'a hot cat' })
    path = new URL(images[0]?.url ?? '').pathname
    bytes = Buffer.from(await (await fetch(images[0]?.url ?? '')).arrayBuffer())
  })
  after(() => server[Symbol.asyncDispose]())

  const get = (more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`
  const withoutVarying = ({ headers }: RawResponse) =>
    [...headers].filter(([name]) => name !== 'x-request-id' && name !== 'date').sort()

  test('has the same answer both ways: 200 and 304', async () => {
    const [lane] = await exchange(server.url, [{ text: get(), after: 0 }], { count: 1 })
    const [node] = await exchange(server.url, [{ text: get('X-Other: 1\r\n'), after: 0 }], { count: 1 })
    assert.ok(lane && node)
    assert.equal(lane.status, 200)
    assert.deepEqual(lane.body, bytes)
    assert.deepEqual(node.body, bytes)
    assert.deepEqual(withoutVarying(lane), withoutVarying(node))
    const tag = `If-None-Match: ${lane.headers.get('etag')}\r\n`
    const [laneAgain] = await exchange(server.url, [{ text: get(tag), after: 0 }], { count: 1 })
    const [nodeAgain] = await exchange(server.url, [{ text: get(`${tag}X-Other: 1\r\n`), after: 0 }], { count: 1 })
    assert.ok(laneAgain && nodeAgain)
    assert.equal(laneAgain.status, 304)
    assert.deepEqual(withoutVarying(laneAgain), withoutVarying(nodeAgain))
    assert.notEqual(laneAgain.headers.get('x-request-id'), lane.headers.get('x-request-id'))
  })

  test('stays whole when requests come in pieces, or several at once', async () => {
    const pieces = await exchange(
      server.url,
      [
        { text: get().slice(0, 20), after: 0 },
        { text: get().slice(20), after: 0 },
        { text: get(), after: 1 },
        { text: get() + get() + get('X-Other: 1\r\n'), after: 2 },
      ],
      { count: 5 },
    )
    assert.deepEqual(
      pieces.map(({ status, body }) => [status, body.equals(bytes)]),
      Array.from({ length: 5 }, () => [200, true]),
    )
  })

  test('does not stand in the way of other requests on its connection', async () => {
    const body = '{"prompt":"cat"}'
    const answers = await exchange(
      server.url,
      [
        { text: get(), after: 0 },
        { text: `HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, after: 1 },
        { text: get('Range: bytes=0-9\r\n'), after: 2 },
        { text: get(), after: 3 },
        { text: `GET ${path}?width=7 HTTP/1.1\r\nHost: x\r\n\r\n`, after: 4 },
        {
          text: `POST /api/image-generation/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          after: 5,
        },
        { text: 'GET /api/image/v2-000000000-000000000.jpg HTTP/1.1\r\nHost: x\r\n\r\n', after: 6 },
      ],
      { count: 7, methods: ['GET', 'HEAD'] },
    )
    assert.deepEqual(
      answers.map(({ status, body: { length } }) => [status, length === bytes.length]),
      [
        [200, true],
        [200, false],
        [206, false],
        [200, true],
        [200, true],
        [401, false],
        [404, false],
      ],
    )
  })

  test('never takes the body of a request for a request', async () => {
    const smuggled = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
    const answers = await exchange(
      server.url,
      [
        { text: get(`Content-Length: ${smuggled.length}\r\n`) + smuggled, after: 0 },
        { text: `GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`, after: 1 },
      ],
      { count: 2 },
    )
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
    assert.match(answers[1]?.body.toString() ?? '', /"status":"ok"/)
  })

  test('leaves malformed requests to Node: no Host, two lengths, obsolete folding', async () => {
    for (const text of [
      `GET ${path} HTTP/1.1\r\n\r\n`,
      get('Content-Length: 1\r\nContent-Length: 2\r\n'),
      get('User-Agent: a\r\n b\r\n'),
      `GET ${path} HTTP/1.1\r\nHost : x\r\n\r\n`,
    ]) {
      const [answer] = await exchange(server.url, [{ text, after: 0 }], { count: 1 })
      assert.equal(answer?.status, 400, text)
    }
  })
})

test('a connection that waits idle in the hot lane does not hold up the stop', async () => {
  const server = await startTestServer()
  const { images } = await server.post({ prompt: 'a hot cat' })
  await (await fetch(images[0]?.url ?? '')).arrayBuffer()
  const { hostname, port, pathname } = new URL(images[0]?.url ?? '')
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await once(socket, 'data')
  socket.resume()
  const closed = once(socket, 'close')
  await server.stop()
  await closed
  await server[Symbol.asyncDispose]()
})
