import assert from 'node:assert/strict'
import { Agent, get as httpGet } from 'node:http'
import { after, describe, test } from 'node:test'
import { until } from '@wombat/testing'
import { openDatabaseProxy } from './database-proxy.ts'
import { decode, finishNow, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

// One server beside another: the one that is asked sees its database through a proxy, the other one finishes images.
const maker = await startTestServer({ role: 'api' })
const proxy = await openDatabaseProxy(maker.databaseUrl)
const server = await startTestServer({ role: 'api', beside: { ...maker, databaseUrl: proxy.url } })
after(async () => {
  await server[Symbol.asyncDispose]()
  proxy[Symbol.dispose]()
  await maker[Symbol.asyncDispose]()
})

async function waiting(count: number) {
  await until(() => server.engine.waiters.size === count, { timeoutMs: 30_000, what: `${count} requests wait` })
}

/** A client that costs less than the server it tests, which `fetch` does not. */
const agent = new Agent({ keepAlive: true })
after(() => agent.destroy())

function get(path: string): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = httpGet(`${server.url}${path}`, { agent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

/** Sends requests that all wait, and answers their answers. */
async function ask(ids: readonly string[], count: number): Promise<Promise<{ status: number; bytes: Buffer }>[]> {
  const answers = Array.from({ length: count }, (_, index) => get(pathOf(ids[index % ids.length] ?? '')))
  await waiting(count)
  return answers
}

async function assertWhole(answers: readonly Promise<{ status: number; bytes: Buffer }>[]) {
  const [first, ...others] = await Promise.all(answers)
  assert.ok(first !== undefined)
  assert.deepEqual(await decode(first.bytes), { format: 'jpeg', width: 640, height: 480 })
  for (const { status, bytes } of [first, ...others]) {
    assert.equal(status, 200)
    assert.ok(bytes.equals(first.bytes))
  }
  assert.equal(server.engine.waiters.size, 0)
}

describe('two thousand requests that wait in one process', { timeout: 60_000 }, () => {
  test('for forty images: all get whole bytes, and the wake-up costs no statement for each of them', async () => {
    const orders = await Promise.all(Array.from({ length: 10 }, () => order(maker, { numImages: 4 })))
    const ids = orders.flat()
    const answers = await ask(ids, 2_000)
    const before = proxy.statements
    await Promise.all(ids.map((id) => finishNow(maker.engine, id, 'image/jpeg')))
    await assertWhole(answers)
    const used = proxy.statements - before
    // One for each image; a second where the look for lost notifications was faster than its notification.
    assert.ok(used >= 40 && used <= 2 * 40 + 15, `${used} statements for 40 images`)
  })

  test('for one image: one statement wakes them all', async () => {
    const id = await orderOne(maker)
    const answers = await ask([id], 2_000)
    const before = proxy.statements
    const startedMs = performance.now()
    await finishNow(maker.engine, id, 'image/jpeg')
    await assertWhole(answers)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs < 10_000, `${tookMs} ms`)
    const used = proxy.statements - before
    assert.ok(used >= 1 && used <= 10, `${used} statements`)
  })

  test('cost next to nothing while they wait', async () => {
    const id = await orderOne(maker)
    const answers = await ask([id], 500)
    const { user, system } = process.cpuUsage()
    const before = proxy.statements
    await until(() => proxy.statements > before, { what: 'the look for lost notifications' })
    const used = process.cpuUsage({ user, system })
    assert.ok(used.user + used.system < 1_000_000, `${(used.user + used.system) / 1000} ms of CPU`)
    assert.equal(proxy.statements - before, 1)
    await finishNow(maker.engine, id, 'image/jpeg')
    await assertWhole(answers)
  })
})

describe('a notification that is lost', { timeout: 60_000 }, () => {
  test('with its connection: who waits is woken when the connection is back', async () => {
    const ids = await order(maker, { numImages: 2 })
    const answers = await ask(ids, 20)
    proxy.cut()
    await until(() => !server.engine.listener.isConnected, { what: 'the loss is noticed' })
    await Promise.all(ids.map((id) => finishNow(maker.engine, id, 'image/jpeg')))
    assert.equal(server.engine.waiters.size, 20)
    await proxy.mend()
    await assertWhole(answers)
  })

  test('with a backend that PostgreSQL ends: the same', async () => {
    const id = await orderOne(maker)
    const answers = await ask([id], 20)
    const ended = await query(
      server.databaseUrl,
      `SELECT pg_terminate_backend(pid) AS ok FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'wombat listen'`,
    )
    assert.equal(ended.length, 2)
    await finishNow(maker.engine, id, 'image/jpeg')
    await assertWhole(answers)
  })

  test('without anybody noticing: the next look finds it', async () => {
    const [made, lost] = await order(maker, { numImages: 2 })
    assert.ok(made !== undefined && lost !== undefined)
    const answers = await ask([lost], 20)
    await finishNow(maker.engine, made, 'image/jpeg')
    const objectKey = `images/aa/${lost}/1.jpg`
    await maker.engine.store.put(objectKey, (await maker.get(pathOf(made))).bytes, 'image/jpeg')
    await query(
      server.databaseUrl,
      `UPDATE images l SET status = 'ready', finished_at = now(), stored_at = now(), provider = 'check', sha256 = m.sha256,
              content_type = m.content_type, size_bytes = m.size_bytes, object_key = $3
       FROM images m WHERE l.id = $1 AND m.id = $2`,
      [lost, made, objectKey],
    )
    await assertWhole(answers)
  })
})
