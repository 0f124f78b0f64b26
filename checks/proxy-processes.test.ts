/** Who asks, and who answers, when nginx stands before two processes. */
// Not once more on Redis and S3: it is about nginx in front; cluster.test.ts has it before Redis and S3.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, describe, test } from 'node:test'
import { until } from '@wombat/testing'
import type { Http2Client } from './http2-client.ts'
import { decode, finishNow, orderOne, pathOf, requestText } from './image-tools.ts'
import { CAT, type ErrorAnswer, openBehindNginx, PREFIX, STRANGER, textOf } from './proxy-fixture.ts'
import { scrape } from './scrape.ts'
import { GENERATE } from './send.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const behind = await openBehindNginx({ AUTH_FAILURES_PER_MINUTE: '3' })
after(() => behind[Symbol.asyncDispose]())
const { server, env, bearer, connectTo, postTo } = behind
const { host } = new URL(server.url)
// They hold for long: who waits there has got nothing yet.
const second = await spawnTestServer({ role: 'api', beside: server, env: { ...env, AUTH_FAILURES_PER_MINUTE: '3' } })
after(() => second[Symbol.asyncDispose]())
const both = await behind.startNginx({ port: behind.port, upstreams: [host, new URL(second.url).host] })
after(() => both[Symbol.asyncDispose]())

async function finish(id: string) {
  await finishNow(server.engine, id, 'image/jpeg')
}

describe('the address of a client', { timeout: 60_000 }, () => {
  const FORGED = ['203.0.113.7', '203.0.113.7, 127.0.0.1', '127.0.0.1', '::1', 'unknown', '203.0.113.7:80, [::1]:1']

  test('is the one that nginx saw, whatever a client writes, also where nginx adds to it', async () => {
    const { apiKey } = await server.createAccount({ limits: { allowedNetworks: ['203.0.113.0/24'] } })
    const add = 'X-Forwarded-For $proxy_add_x_forwarded_for;'
    await using appending = await behind.startNginx({ changes: { 'X-Forwarded-For $remote_addr;': add } })
    for (const one of [both, appending]) {
      using stranger = connectTo(one, STRANGER)
      for (const forged of FORGED) {
        const headers = {
          authorization: `Bearer ${apiKey}`,
          'x-forwarded-for': forged,
          'x-real-ip': forged,
          forwarded: `for=${forged}`,
        }
        const { status, json } = await postTo(stranger, { headers })
        assert.deepEqual([status, (json as ErrorAnswer).details], [403, { address: STRANGER }], forged)
      }
    }
  })

  test('a key of a network works from there, and from nowhere else', async () => {
    const { apiKey } = await server.createAccount({ limits: { allowedNetworks: [`${STRANGER}/32`] } })
    const headers = { authorization: `Bearer ${apiKey}` }
    using here = connectTo(both, STRANGER)
    using elsewhere = connectTo(both, '127.0.0.8')
    assert.equal((await postTo(here, { headers })).status, 200)
    assert.equal((await postTo(elsewhere, { headers: { ...headers, 'x-forwarded-for': STRANGER } })).status, 403)
  })

  test('several hops, ports, IPv6 and rubbish are read from the end; who is not trusted is not heard', async () => {
    const { apiKey } = await server.createAccount({ limits: { allowedNetworks: ['192.0.2.1'] } })
    const see = async (forwarded: string, from: string) => {
      const body = `{"prompt":"cat"}`
      const headers = { Authorization: `Bearer ${apiKey}`, 'X-Forwarded-For': forwarded, 'Content-Length': '16' }
      const text = requestText(GENERATE, { method: 'POST', headers: { ...headers, Connection: 'close' } }) + body
      const answer = await sendFrom(from, text)
      return (JSON.parse(answer.slice(answer.indexOf('{'))) as ErrorAnswer).details?.address
    }
    assert.equal(await see('203.0.113.7, 198.51.100.2, 127.0.0.1', '127.0.0.1'), '198.51.100.2')
    assert.equal(await see('198.51.100.2:4711, 127.0.0.1:80', '127.0.0.1'), '198.51.100.2')
    assert.equal(await see('203.0.113.7,[2001:db8::7]:443', '127.0.0.1'), '2001:db8::7')
    assert.equal(await see('2001:db8::8', '127.0.0.1'), '2001:db8::8')
    assert.equal(await see('198.51.100.2, unknown', '127.0.0.1'), '127.0.0.1')
    assert.equal(await see('198.51.100.2, unknown, 127.0.0.1', '127.0.0.1'), '127.0.0.1')
    assert.equal(await see('198.51.100.2', STRANGER), STRANGER)
  })

  test('limits count by it, in both processes together', async () => {
    using guesser = connectTo(both, '127.0.0.7')
    using neighbour = connectTo(both, '127.0.0.6')
    const guess = async (one: Http2Client, forged: string) => {
      const headers = { authorization: `Bearer ${crypto.randomUUID()}`, 'x-forwarded-for': forged }
      return (await postTo(one, { headers })).status
    }
    const statuses: number[] = []
    for (const forged of [...FORGED, ...FORGED]) {
      statuses.push(await guess(guesser, forged))
    }
    assert.deepEqual(statuses, [401, 401, 401, ...Array.from({ length: 9 }, () => 429)])
    assert.equal(await guess(neighbour, '127.0.0.7'), 401)
  })
})

describe('one of two processes goes', { timeout: 60_000 }, () => {
  async function assertDelivered(waits: readonly ReturnType<Http2Client['ask']>[]) {
    for (const { status, bytes } of await Promise.all(waits)) {
      assert.equal(status, 200, bytes.toString())
      await decode(bytes)
    }
  }

  /** As every client that looks at images follows a redirect. */
  async function follow(client: Http2Client, path: string): ReturnType<Http2Client['ask']> {
    const answer = await client.ask(path)
    if (answer.status !== 302) {
      return answer
    }
    const { pathname, search } = new URL(textOf(answer.headers, 'location'), new URL(path, behind.publicUrl))
    return await follow(client, pathname + search)
  }

  test('stopped in order: who waits waits on at the other one, and nothing that is asked meanwhile is lost', async () => {
    await using third = await startTestServer({ role: 'api', beside: server, env })
    await using nginx = await behind.startNginx({ upstreams: [new URL(third.url).host, host] })
    using client = connectTo(nginx)
    const [id, ready] = [await orderOne(server), await orderOne(server)]
    await finish(ready)
    const waits = Array.from({ length: 10 }, () => follow(client, `${PREFIX}${pathOf(id)}`))
    await until(() => third.engine.waiters.size >= 3, { what: 'some wait there' })
    let isStopping = true
    const stopped = third.stop().finally(() => {
      isStopping = false
    })
    let ordered = 0
    const before = await server.balance()
    const ask = async () => {
      for (let turns = 0; isStopping || turns < 10; turns += 1) {
        assert.equal((await client.ask(`${PREFIX}${pathOf(ready)}`)).status, 200)
        // A connection that the system has taken and the process has not is lost with the process: as the docs say, again.
        const headers = { 'idempotency-key': crypto.randomUUID() }
        const { status, text } = await postTo(client, { headers })
        assert.ok(status === 200 || (await postTo(client, { headers })).status === 200, text)
        ordered += 1
      }
    }
    await Promise.all([ask(), ask(), stopped])
    assert.equal(before - (await server.balance()), ordered)
    await finish(id)
    await assertDelivered(waits)
  })

  test('killed: who waits waits on at the other one, and a POST goes there', async () => {
    using client = connectTo(both)
    const id = await orderOne(server)
    const waits = Array.from({ length: 10 }, () => client.ask(`${PREFIX}${pathOf(id)}`))
    const count = async () => (await scrape(`${second.url}/metrics`)).sum('wombat_waiters')
    await until(async () => (await count()) >= 3, { what: 'some wait there' })
    await second.kill()
    const posted = await Promise.all(Array.from({ length: 10 }, () => postTo(client)))
    assert.deepEqual(new Set(posted.map(({ status }) => status)), new Set([200]))
    await finish(id)
    await assertDelivered(waits)
  })

  test('a POST that may have been done is never sent again, a GET is', async () => {
    const traps = [await openTrap(), await openTrap()]
    const [one, other] = traps.map(({ host }) => host)
    await using nginx = await behind.startNginx({ upstreams: [one ?? '', other ?? ''] })
    using lost = connectTo(nginx)
    const count = () => traps.reduce((sum, { requests }) => sum + requests.length, 0)
    const posted = await lost.ask(GENERATE, { method: 'POST', headers: bearer, body: CAT })
    assert.deepEqual([posted.status, (posted.json as ErrorAnswer).code], [502, 'unreachable'])
    assert.equal(count(), 1)
    assert.equal((await lost.ask(pathOf('v2-000000000-000000000'))).status, 502)
    assert.equal(count(), 3)
    for (const trap of traps) {
      trap.server.close()
    }
    assert.equal((await lost.ask(GENERATE, { method: 'POST', headers: bearer, body: CAT })).status, 502)
  })
})

/** Sends a request to the first process from another address of this machine, and reads to the end. */
async function sendFrom(localAddress: string, text: string): Promise<string> {
  const { hostname, port: to } = new URL(server.url)
  const socket = connect({ host: hostname, port: Number(to), localAddress })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).write(text)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

/** Takes a whole request and hangs up. */
async function openTrap(): Promise<{ server: Server; host: string; requests: string[] }> {
  const requests: string[] = []
  const trap = createServer((socket: Socket) => {
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      if (text.endsWith('\r\n\r\n') || text.endsWith(CAT)) {
        requests.push(text)
        socket.destroy()
      }
    })
  })
  trap.listen(0, '127.0.0.1')
  await once(trap, 'listening')
  const address = trap.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { server: trap, host: `127.0.0.1:${address.port}`, requests }
}
