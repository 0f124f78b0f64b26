/** What a stop does to the requests that are under way: none is lost. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@wombat/testing'
import { idOf, makeNow, openRaw, orderOne, pathOf, query, readChunks, requestText } from './image-tools.ts'
import { parseRaw } from './raw-http.ts'
import { GENERATE } from './send.ts'
import { spawnTestServer, startTestServer, type TestServer } from './server-fixture.ts'

describe('a server that stops', { timeout: 120_000 }, () => {
  test('answers all who have sent their request, read or not, and whose connection was taken', async () => {
    await using server = await startTestServer({ role: 'api' })
    const id = await orderOne(server)
    // Half of them have had an answer before, on the connection that they keep.
    const used = await Promise.all(Array.from({ length: 20 }, () => openRaw(server.url, requestText('/health/live'))))
    await until(() => used.every(({ received }) => received.includes('"ok"')), { what: 'they have their first answer' })
    const fresh = await Promise.all(Array.from({ length: 20 }, () => openRaw(server.url, requestText(pathOf(id)))))
    for (const connection of used) {
      connection.write(requestText(pathOf(id)))
    }
    await server.stop()
    await Promise.all([...used, ...fresh].map(({ closed }) => closed))
    for (const { received, end } of [...used, ...fresh]) {
      const text = received.toString('latin1')
      const last = parseRaw(text.slice(text.lastIndexOf('HTTP/1.1 ')))
      assert.equal(end, 'closed')
      assert.equal(last.status, 503, text)
      assert.equal(last.headers.get('connection'), 'close')
      assert.ok(Number(last.headers.get('retry-after')) >= 1)
    }
  })

  test('does nothing that it will not answer, of the requests that a client has sent at once', async () => {
    const env = { SHUTDOWN_DELAY_SECONDS: '1', SHUTDOWN_GRACE_SECONDS: '5' }
    await using server = await startTestServer({ role: 'api', env })
    const id = await orderOne(server)
    const body = JSON.stringify({ prompt: 'wombat' })
    const length = Buffer.byteLength(body)
    const headers = {
      Authorization: `Bearer ${server.apiKey}`,
      'Content-Type': 'application/json',
      'Content-Length': length,
    }
    const post = `${requestText(GENERATE, { method: 'POST', headers })}${body}`
    // One waits for its image, and the order behind it was carried out before the server was told to stop.
    const early = await openRaw(server.url, requestText(pathOf(id)) + post)
    await until(async () => (await server.balance()) === 998, { what: 'it was carried out' })
    const stopped = server.stop()
    await until(() => server.engine.isLeaving, { what: 'the server leaves' })
    const late = await openRaw(server.url, post.repeat(3))
    await until(() => late.received.includes('HTTP/1.1'), { what: 'an answer' })
    late.write(post.repeat(3))
    await Promise.all([stopped, early.closed, late.closed])
    const statuses = (text: string) => [...text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => Number(status))
    assert.deepEqual(statuses(early.received.toString('latin1')), [503, 200])
    const answered = statuses(late.received.toString('latin1'))
    assert.ok(answered.every((status) => status === 200))
    assert.equal(answered.length, 3)
    assert.equal(await balanceOf(server), 998 - answered.length)
  })

  test('serves as ever while it only says so, and asks each connection to end', async () => {
    const env = { SHUTDOWN_DELAY_SECONDS: '0.5', IMAGE_SOFT_WAIT_SECONDS: '0', SHUTDOWN_GRACE_SECONDS: '30' }
    await using server = await startTestServer({ role: 'api', env })
    const [hot, late] = [await orderOne(server), await orderOne(server)]
    await makeNow(server.engine, hot)
    await server.get(pathOf(hot))
    const lane = await openRaw(server.url, requestText(pathOf(hot)))
    await until(() => lane.received.includes('200 OK'), { what: 'the hot lane has answered' })
    const begun = await openRaw(server.url, requestText(pathOf(late)))
    await until(() => begun.received.includes('JFIF'), { what: 'a picture has begun' })
    const stopped = server.stop()
    const ready = await server.get('/health/ready')
    assert.equal(ready.status, 503)
    assert.equal(JSON.parse(ready.text).checks.shutdown, 'the server is stopping')
    const answer = await server.post({ prompt: 'wombat' })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('connection'), 'close')
    const before = lane.received.length
    lane.write(requestText(pathOf(hot)))
    await lane.closed
    assert.equal(lane.end, 'closed')
    assert.match(lane.received.toString('latin1', before), /^HTTP\/1.1 200 OK\r\n(?:.*\r\n)*connection: close\r\n/i)
    await until(() => server.engine.isStopping, { what: 'the delay is over' })
    await assert.rejects(server.get('/health/live'))
    // Nobody else can go on with it, so it is held on to until its image is there.
    await makeNow(server.engine, late)
    await begun.closed
    assert.equal(begun.end, 'closed')
    assert.equal(readChunks(begun.received).isComplete, true)
    await stopped
  })
})

/** Of a server that has stopped. */
async function balanceOf({ databaseUrl, accountId }: TestServer): Promise<number> {
  const [row] = await query(databaseUrl, 'SELECT balance FROM accounts WHERE id = $1', [accountId])
  return Number(row?.balance)
}

interface Reply {
  readonly status: number
  readonly text: string
  readonly location: string | undefined
}

/** Between the orders of a client, so that no thousands of images come together. */
const PACE_MS = 10

/** What a load balancer knows: it asks each server all the time whether it is ready, and sends nobody to one that isn't. */
function watchReadiness(urls: readonly string[]) {
  const over = new AbortController()
  const ready = urls.map(() => true)
  const watching = urls.map(async (url, at) => {
    while (!over.signal.aborted) {
      ready[at] = await fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      )
      await sleep(50)
    }
  })
  return {
    isReady: (at: number) => ready[at] === true,
    async [Symbol.asyncDispose]() {
      over.abort()
      await Promise.all(watching)
    },
  }
}

/** One client of a load balancer: it keeps a connection to each server, and goes to the other when one is refused. */
function createClient(urls: readonly string[], { key, isReady }: { key: string; isReady: (at: number) => boolean }) {
  const agents = urls.map(() => new Agent({ keepAlive: true, maxSockets: 1 }))
  let turn = 0
  const ask = (at: number, method: string, path: string, body?: string): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const sent = request(`${urls[at]}${path}`, { method, agent: agents[at], headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
        response.on('end', () => {
          const { location } = response.headers
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('latin1'), location })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  return {
    async send(method: string, path: string, body?: string): Promise<Reply> {
      turn += 1
      for (let tries = 0; ; tries += 1) {
        const first = (turn + tries) % urls.length
        const at = isReady(first) ? first : (first + 1) % urls.length
        try {
          return await ask(at, method, path, body)
        } catch (error) {
          const isRefused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
          if (!isRefused || tries >= urls.length) {
            throw error
          }
        }
      }
    },
    close: () => {
      for (const agent of agents) {
        agent.destroy()
      }
    },
  }
}

/** Follows redirects, each through the load balancer, and answers how many there were. */
async function waitFor(client: ReturnType<typeof createClient>, id: string): Promise<{ status: number; hops: number }> {
  let path = pathOf(id)
  for (let hops = 0; ; hops += 1) {
    const { status, location } = await client.send('GET', path)
    if (status !== 302 || location === undefined) {
      return { status, hops }
    }
    path = new URL(location, `http://wombat.test${path}`).pathname + new URL(location, 'http://wombat.test/').search
  }
}

test('two servers that are restarted, one after the other, lose no request, and nobody who waits', {
  timeout: 180_000,
}, async () => {
  const env = {
    PUBLIC_URL: 'http://wombat.test',
    // Long enough, on a busy machine too, for the balancer to learn of it: a connection that is made when the listener is
    // closed may be reset by the system.
    SHUTDOWN_DELAY_SECONDS: '2',
    SHUTDOWN_GRACE_SECONDS: '30',
    BOOTSTRAP_CREDITS: '1000000',
  }
  await using first = await spawnTestServer({ role: 'api', env })
  await using second = await spawnTestServer({ role: 'api', env, beside: first })
  const urls = [first.url, second.url]
  await using readiness = watchReadiness(urls)
  const balancer = { key: first.apiKey, isReady: readiness.isReady }
  const ids: string[] = []
  let isOver = false

  async function order() {
    const client = createClient(urls, balancer)
    while (!isOver) {
      const body = JSON.stringify({ prompt: 'wombat', enhancePrompt: 'off' })
      const { status, text } = await client.send('POST', '/api/image-generation/', body)
      assert.equal(status, 200, text)
      ids.push(idOf(JSON.parse(text)[0].url))
      await sleep(PACE_MS)
    }
    client.close()
  }

  const orders = [order(), order()]
  await until(() => ids.length >= 10, { what: 'orders are taken' })
  const clients = ids.slice(0, 10).map(() => createClient(urls, balancer))
  const waits = clients.map((client, n) => waitFor(client, ids[n] ?? ''))
  try {
    for (const server of [first, second]) {
      assert.equal(await server.stop(), 0)
      const taken = ids.length
      await until(() => ids.length > taken + 5, { what: 'the other one takes orders' })
      await server.start()
    }
  } finally {
    isOver = true
    await Promise.all(orders)
  }
  await using _worker = await startTestServer({ role: 'worker', beside: first })
  const waited = await Promise.all(waits)
  assert.ok(waited.every(({ status }) => status === 200))
  assert.ok(
    waited.every(({ hops }) => hops >= 1 && hops <= 2),
    JSON.stringify(waited),
  )
  assert.equal(new Set(ids).size, ids.length)
  const [made] = await first.db.prisma.$queryRaw<{ n: number }[]>`SELECT count(*)::int AS n FROM images`
  assert.equal(made?.n, ids.length, 'nothing was ordered that nobody knows of')
  for (const client of clients) {
    client.close()
  }
})
