import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startOpenAiEmulator, until } from '@wombat/testing'
import { openDatabaseProxy } from './database-proxy.ts'
import { assertAllDelivered, orderMany, recordTransitions, untilReady } from './ending.ts'
import { countStates, decode, idOf, openRaw, orderOne, pathOf, query, readChunks, requestText } from './image-tools.ts'
import { spawnTestServer, startTestServer, type TestServer } from './server-fixture.ts'

/** An upstream of the test's own. */
async function openUpstream(latencyMs: number) {
  const emulator = await startOpenAiEmulator({ latencyMs })
  const env = { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url }
  return { env, setFault: emulator.setFault, [Symbol.asyncDispose]: emulator.close }
}

/** The status, or 0 when the answer broke off. */
async function lookAt(server: TestServer, id: string): Promise<number> {
  try {
    return (await server.get(pathOf(id))).status
  } catch {
    return 0
  }
}

describe('a server', { timeout: 60_000, concurrency: true }, () => {
  test('whose queue loses everything again and again has all images made by the sweep', async () => {
    await using upstream = await openUpstream(50)
    const { env } = upstream
    await using server = await startTestServer({ env })
    await recordTransitions(server.databaseUrl)
    const ids = await orderMany(server, 16)
    const until5sOld = performance.now() + 4_000
    while (performance.now() < until5sOld) {
      await query(server.databaseUrl, 'DELETE FROM bullmq.job')
      await sleep(100)
    }
    await untilReady(server, 16)
    await assertAllDelivered(server, ids)
  })

  test('takes up images whose jobs a hanging worker holds, which has not claimed them', async () => {
    await using upstream = await openUpstream(0)
    const { env } = upstream
    await using hanging = await startTestServer({ role: 'api', env })
    await recordTransitions(hanging.databaseUrl)
    const { queue } = hanging.engine
    await queue.work('gpt-image-2', { concurrency: 2, handler: () => new Promise<void>(() => {}) })
    const ids = await orderMany(hanging, 2)
    await until(async () => (await queue.depth('gpt-image-2')).active === 2, { what: 'it has both jobs' })
    await using _worker = await startTestServer({ role: 'worker', env, beside: hanging })
    await untilReady(hanging, 2)
    await assertAllDelivered(hanging, ids)
  })

  test('whose database ends all connections again and again loses nothing, and who only looks notices nothing', async () => {
    await using upstream = await openUpstream(100)
    const { env } = upstream
    await using server = await startTestServer({ env: { ...env, LEASE_SECONDS: '2' } })
    await recordTransitions(server.databaseUrl)
    const accepted: string[] = []
    const looks: Promise<number>[] = []
    const statuses: Record<number, number> = {}
    let isOver = false
    const client = async () => {
      while (!isOver) {
        const answer = await server.post({ prompt: 'wombat', enhancePrompt: 'off', numImages: 2 })
        statuses[answer.status] = (statuses[answer.status] ?? 0) + 1
        if (answer.status === 200) {
          const ids = answer.images.map(({ url }) => idOf(url))
          accepted.push(...ids)
          looks.push(...ids.map((id) => lookAt(server, id)))
        }
        await sleep(150)
      }
    }
    const clients = [client(), client()]
    for (let round = 0; round < 15; round += 1) {
      await sleep(100)
      await query(
        server.databaseUrl,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
      )
    }
    isOver = true
    await Promise.all(clients)
    assert.deepEqual(Object.keys(statuses), ['200'], JSON.stringify(statuses))
    await untilReady(server, accepted.length)
    assert.deepEqual(
      await Promise.all(looks),
      accepted.map(() => 200),
    )
    await assertAllDelivered(server, accepted)
  })

  test('whose database is away refuses a POST, which costs nothing; one that outlasts it is charged once', async () => {
    await using upstream = await openUpstream(0)
    const { env } = upstream
    await using maker = await startTestServer({ role: 'api', env })
    using proxy = await openDatabaseProxy(maker.databaseUrl)
    await using server = await startTestServer({ role: 'api', env, beside: { ...maker, databaseUrl: proxy.url } })
    await orderOne(server)
    proxy.cut()
    const refused = await server.post({ prompt: 'wombat' })
    assert.equal(refused.status, 500)
    assert.equal(refused.error.code, 'internal_error')
    const waits = server.post({ prompt: 'wombat' })
    await sleep(200)
    await proxy.mend()
    assert.equal((await waits).status, 200)
    assert.equal(await maker.balance(), 998)
    // On a disk that is very busy the store's check, which writes a file, takes longer than it may.
    await until(async () => (await server.get('/health/ready')).status === 200, {
      what: 'it is ready',
      timeoutMs: 30_000,
    })
  })

  test('that gets SIGTERM is gone in five seconds, gives nobody half a picture, and the next start makes the rest', async () => {
    await using upstream = await openUpstream(0)
    upstream.setFault('hang')
    const { env } = upstream
    const waiting = { IMAGE_SOFT_WAIT_SECONDS: '1', IMAGE_KEEPALIVE_SECONDS: '0.1', SHUTDOWN_GRACE_SECONDS: '3' }
    await using server = await spawnTestServer({ env: { ...env, ...waiting } })
    await recordTransitions(server.databaseUrl)
    const ids = await orderMany(server, 12)
    const [first = ''] = ids
    const begun = await openRaw(server.url, requestText(pathOf(first)))
    await until(() => begun.received.length > 0, { what: 'the delivery has begun' })
    await until(async () => (await countStates(server.databaseUrl)).generating === 8, { what: 'eight jobs run' })
    const held = [
      server.get(pathOf(first)),
      server.get(pathOf(first), { method: 'HEAD' }),
      server.get(pathOf(ids[11] ?? '')),
    ]
    const idle = await openRaw(server.url, '')
    // The three are held when a fourth that came after them has its answer.
    await server.get('/health/ready')

    const startedMs = performance.now()
    assert.equal(await server.stop(), 0)
    const tookMs = performance.now() - startedMs
    assert.ok(tookMs < 5_000, `${tookMs} ms`)
    for (const { status, headers, text } of await Promise.all(held)) {
      assert.equal(status, 503)
      assert.ok(Number(headers.get('retry-after')) >= 1)
      assert.equal(headers.get('connection'), 'close')
      assert.ok(text === '' || JSON.parse(text).code === 'shutting_down')
    }
    await begun.closed
    assert.equal(begun.end, 'reset')
    assert.equal(readChunks(begun.received).isComplete, false)
    await assert.rejects(decode(readChunks(begun.received).body))
    await idle.closed

    assert.deepEqual(await countStates(server.databaseUrl), { queued: 12 })
    upstream.setFault(undefined)
    await server.start()
    await untilReady(server, 12)
    await assertAllDelivered(server, ids)
  })
})
