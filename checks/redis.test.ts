/** The queue on Redis, which may lose everything, be restarted, or be away: nothing is lost, and nothing runs away. */
// Not once more on Redis and S3: it takes Redis itself away, and the other queue is crash.test.ts's and disruption.test.ts's.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { freePort, startOpenAiEmulator, startRedis, until } from '@wombat/testing'
import { assertAllDelivered, orderMany, recordTransitions, untilReady } from './ending.ts'
import { countStates, orderOne, query } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

/** A server on Redis with an upstream of its own. */
async function openAll(options: { latencyMs: number; redisArgs?: string[]; log?: string }) {
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await startRedis({ args: options.redisArgs ?? [] }))
  const emulator = await startOpenAiEmulator({ latencyMs: options.latencyMs })
  stack.defer(() => emulator.close())
  const env = { REDIS_URL: redis.url, OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url }
  const server = stack.use(await startTestServer({ env }))
  await recordTransitions(server.databaseUrl)
  const owned = stack.move()
  return { redis, emulator, env, server, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Each image was paid for once: as many calls as images. */
async function assertCalledOnce(server: TestServer, images: number) {
  const [row] = await query(server.databaseUrl, 'SELECT count(*)::int AS n FROM attempts')
  assert.equal(row.n, images)
}

describe('a server whose queue is on Redis', { timeout: 120_000 }, () => {
  test('makes images, keeps its jobs there, and has no queue in its database', async () => {
    await using all = await openAll({ latencyMs: 0 })
    const { server } = all
    const ids = await orderMany(server, 8)
    await untilReady(server, 8)
    await assertAllDelivered(server, ids)
    const [row] = await query(server.databaseUrl, `SELECT to_regnamespace('bullmq') IS NULL AS is_missing`)
    assert.equal(row.is_missing, true)
    assert.match(server.engine.queue.description, /Redis at 127\.0\.0\.1/)
    assert.match(await all.redis.command('KEYS', '*'), /\{wombat\}:gpt-image-2:/)
  })

  test('that is flushed again and again in the middle of 40 images has each made once', async () => {
    await using all = await openAll({ latencyMs: 300 })
    const { server, redis } = all
    const ids = await orderMany(server, 40)
    for (let round = 0; round < 6; round += 1) {
      const before = (await countStates(server.databaseUrl)).ready ?? 0
      await redis.flush()
      await until(async () => ((await countStates(server.databaseUrl)).ready ?? 0) > before, {
        what: 'work goes on after a flush',
      })
    }
    await untilReady(server, 40)
    await assertAllDelivered(server, ids)
    await assertCalledOnce(server, 40)
  })

  test('that is killed and comes back empty in the middle of 40 images has each made once', async () => {
    await using all = await openAll({ latencyMs: 300 })
    const { server, redis } = all
    const ids = await orderMany(server, 40)
    await until(async () => ((await countStates(server.databaseUrl)).ready ?? 0) > 4, { what: 'some are ready' })
    await redis.stop()
    await redis.start()
    await untilReady(server, 40)
    await assertAllDelivered(server, ids)
    await assertCalledOnce(server, 40)
    await orderOne(server)
    await untilReady(server, 41)
  })

  for (const [how, leave, comeBack] of [
    ['away', 'stop', 'start'],
    ['frozen', 'freeze', 'thaw'],
  ] as const) {
    test(`that is ${how} for five seconds answers POSTs with 200 quickly and makes images meanwhile`, async () => {
      await using all = await openAll({ latencyMs: 50 })
      const { server, redis } = all
      const ids = [await orderOne(server)]
      await untilReady(server, 1)
      await redis[leave]()
      const leftMs = performance.now()
      const slow: number[] = []
      let readyMeanwhile = 0
      await until(
        async () => {
          const startedMs = performance.now()
          ids.push(await orderOne(server))
          slow.push(performance.now() - startedMs)
          readyMeanwhile = (await countStates(server.databaseUrl)).ready ?? 0
          return performance.now() - leftMs > 5_000
        },
        { what: 'five seconds are over' },
      )
      assert.ok(ids.length > 20, `${ids.length} POSTs`)
      assert.ok(Math.max(...slow) < 1_500, `the slowest POST took ${Math.max(...slow)} ms`)
      assert.ok(readyMeanwhile > 1, 'images are made without the queue')
      const health = await server.get('/health/ready')
      assert.equal(health.status, 200, health.text)
      await redis[comeBack]()
      await until(async () => (await server.get('/health/ready')).text.includes('"queue":"ok"'), {
        what: 'the queue is back',
      })
      await untilReady(server, ids.length)
      await assertAllDelivered(server, ids)
      await assertCalledOnce(server, ids.length)
      // Nothing is left in the queue that would turn in circles.
      await until(
        async () => {
          const { waiting, active } = await server.engine.queue.depth('gpt-image-2')
          return waiting + active === 0
        },
        { timeoutMs: 40_000, what: 'the queue is empty' },
      )
      await assertCalledOnce(server, ids.length)
    })
  }

  test('that is not there when it starts is told within six seconds, with its address and no password', async () => {
    const port = await freePort()
    const startedMs = performance.now()
    const env = { REDIS_URL: `redis://:hidden@127.0.0.1:${port}` }
    await assert.rejects(startTestServer({ env }), (error: Error) => {
      assert.match(error.message, new RegExp(`Redis at 127.0.0.1:${port} can't be reached`))
      assert.doesNotMatch(error.message, /hidden/)
      return true
    })
    assert.ok(performance.now() - startedMs < 8_000)
  })
})
