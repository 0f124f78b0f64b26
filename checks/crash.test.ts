import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOpenAiEmulator, until } from '@wombat/testing'
import { assertAllDelivered, orderMany, recordTransitions, untilReady } from './ending.ts'
import { countStates, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const CONCURRENCY = 8

/** An upstream of the test's own, so that its calls can be counted. */
async function openUpstream(latencyMs: number) {
  const emulator = await startOpenAiEmulator({ latencyMs })
  const env = { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url, OPENAI_CONCURRENCY: String(CONCURRENCY) }
  return {
    env,
    get paidCalls() {
      return emulator.requests.length
    },
    [Symbol.asyncDispose]: emulator.close,
  }
}

async function readyCount(databaseUrl: string): Promise<number> {
  return (await countStates(databaseUrl)).ready ?? 0
}

describe('kill -9', { timeout: 90_000 }, () => {
  test('of the server in the middle of fifty images: the next start makes the rest, and nothing twice', async () => {
    await using upstream = await openUpstream(150)
    const env = { ...upstream.env, LEASE_SECONDS: '600' }
    await using server = await spawnTestServer({ env })
    await recordTransitions(server.databaseUrl)
    const ids = await orderMany(server, 50)
    await until(async () => (await readyCount(server.databaseUrl)) >= 8, { what: 'a few are ready' })
    await server.kill()
    const before = await countStates(server.databaseUrl)
    assert.ok((before.generating ?? 0) > 0 && (before.ready ?? 0) < 40, JSON.stringify(before))
    const held = await query(server.databaseUrl, `SELECT id FROM images WHERE status = 'generating'`)
    await server.start()
    const heldIds = held.map(({ id }) => String(id))
    const isTakenUp = async () => {
      const left = await query(server.databaseUrl, 'SELECT FROM images WHERE id = ANY ($1) AND fence = 1', [heldIds])
      return left.length === 0
    }
    // Long before their leases end: the next process sees that their holder is dead.
    await until(isTakenUp, { timeoutMs: 60_000, what: 'the orphans are taken up' })

    // And once more, before it has come to its senses.
    await server.kill()
    await server.start()
    await untilReady(server, 50, 60_000)
    await assertAllDelivered(server, ids)
    const calls = upstream.paidCalls
    assert.ok(calls >= 50 && calls <= 50 + 2 * CONCURRENCY, `${calls} paid calls for 50 images`)
    const open = await query(server.databaseUrl, 'SELECT FROM attempts WHERE outcome IS NULL')
    assert.equal(open.length, 0, 'what was open is closed as unknown')
  })

  test('of one of two workers beside an API: sixty images, each exactly once', async () => {
    await using upstream = await openUpstream(150)
    const { env } = upstream
    await using api = await spawnTestServer({ role: 'api', env })
    await recordTransitions(api.databaseUrl)
    await using first = await spawnTestServer({ role: 'worker', env, beside: api })
    await using second = await spawnTestServer({ role: 'worker', env, beside: api })
    const ids = await orderMany(api, 60)
    const owned = async (pid: number) =>
      (
        await query(api.databaseUrl, `SELECT FROM images WHERE status = 'generating' AND lease_owner LIKE $1`, [
          `%/${pid}/%`,
        ])
      ).length
    await until(async () => (await owned(second.pid)) > 0 && (await readyCount(api.databaseUrl)) >= 10, {
      what: 'both work',
    })
    await first.kill()
    await untilReady(api, 60, 60_000)
    await assertAllDelivered(api, ids)
    const calls = upstream.paidCalls
    assert.ok(calls >= 60 && calls <= 60 + CONCURRENCY, `${calls} paid calls for 60 images`)
    const [row] = await query(api.databaseUrl, 'SELECT max(fence) AS fence FROM images')
    assert.ok(row.fence <= 2)
  })

  test('of the API right after an answer: what it did not announce is made by the worker', async () => {
    await using upstream = await openUpstream(0)
    const { env } = upstream
    await using api = await spawnTestServer({ role: 'api', env })
    await recordTransitions(api.databaseUrl)
    const ids = await orderMany(api, 12)
    await api.kill()
    // As if the queue had not had them, and five seconds later.
    await api.loseJobs()
    await query(api.databaseUrl, 'UPDATE images SET announce_at = now()')
    await using _worker = await spawnTestServer({ role: 'worker', env, beside: api })
    await untilReady(api, 12)
    await using other = await startTestServer({ role: 'api', env, beside: api })
    await assertAllDelivered(other, ids)
  })
})
