import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import {
  createTemporaryDirectory,
  type OpenAiFault,
  startOpenAiEmulator,
  type TemporaryDirectory,
  until,
} from '@wombat/testing'
import { attemptsMade, inWords, mostAtOnce } from './attempts-made.ts'
import { orderMany, recordTransitions, untilReady } from './ending.ts'
import { decode, orderOne, pathOf } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

let directory: TemporaryDirectory
before(async () => {
  directory = await createTemporaryDirectory()
})
after(() => directory[Symbol.asyncDispose]())

let files = 0

/** A server whose gpt-image-2 has two routes, a before b, each with an upstream of its own. */
async function startTwo(fields: { a?: string; b?: string; env?: Record<string, string> } = {}) {
  const [a, b] = await Promise.all([startOpenAiEmulator(), startOpenAiEmulator()])
  const route = (name: string, url: string, more: string) =>
    `  - {name: ${name}, adapter: openai, baseUrl: "${url}", key: sk-${name}${more}}\n`
  files += 1
  const file = path.join(directory.path, `routes-${files}.yaml`)
  writeFileSync(file, `routes:\n${route('a', a.url, fields.a ?? '')}${route('b', b.url, fields.b ?? '')}`)
  const server = await startTestServer({
    env: { ROUTES_FILE: file, RETRY_MAX_DELAY_SECONDS: '0.05', ...fields.env },
  })
  return {
    a,
    b,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await a.close()
      await b.close()
    },
  }
}

async function assertDelivered(server: TestServer, id: string) {
  const { status, bytes } = await server.get(pathOf(id))
  assert.equal(status, 200)
  assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 1024, height: 1024 })
}

async function wordsOf(server: TestServer, id: string): Promise<string[]> {
  return (await attemptsMade(server.databaseUrl, id)).map(inWords)
}

describe('two routes of one model', { timeout: 60_000, concurrency: 4 }, () => {
  test('the second is asked only when the first fails, and then at once, whatever the failure', async () => {
    await using two = await startTwo({ env: { RETRY_MAX_DELAY_SECONDS: '60', BREAKER_FAILURES: '100' } })
    const { a, b, server } = two
    await assertDelivered(server, await orderOne(server))
    assert.deepEqual([a.requests.length, b.requests.length], [1, 0])
    const passing: readonly [OpenAiFault, string][] = [
      ['server_error', 'a not_sent transient'],
      ['reset_after_reading', 'a unknown unknown'],
      ['model_not_found', 'a refused mistake'],
      ['corrupt_picture', 'a unknown unknown'],
      ['insufficient_quota', 'a not_sent credentials'],
    ]
    for (const [fault, words] of passing) {
      a.setFault(fault)
      const id = await orderOne(server)
      await assertDelivered(server, id)
      assert.deepEqual(await wordsOf(server, id), [words, 'b done'], String(fault))
    }
    // The money's fault has parked it: nobody asks it any more.
    const asked = a.requests.length
    const id = await orderOne(server)
    await assertDelivered(server, id)
    assert.deepEqual(await wordsOf(server, id), ['b done'])
    assert.equal(a.requests.length, asked)
  })

  test('a refusal for the content is final: nobody else is asked', async () => {
    await using two = await startTwo()
    two.a.setFault('moderation')
    const id = await orderOne(two.server)
    const { status, error } = await two.server.get(pathOf(id))
    assert.equal(status, 422)
    assert.match(error.message, /refused this request for its content: sexual\.$/)
    assert.deepEqual(await wordsOf(two.server, id), ['a refused moderation'])
    assert.equal(two.b.requests.length, 0)
  })

  test('a first one that is down is left alone after a few failures, and used again when it is back', async () => {
    await using two = await startTwo({ env: { BREAKER_FAILURES: '3', RETRY_MAX_DELAY_SECONDS: '0.5' } })
    const { a, b, server } = two
    a.setFault('overloaded')
    for (let n = 0; n < 3; n += 1) {
      await assertDelivered(server, await orderOne(server))
    }
    const calls = a.requests.length
    await assertDelivered(server, await orderOne(server))
    assert.ok(a.requests.length <= calls + 1, 'one trial at most')
    a.setFault(undefined)
    const served = b.requests.length
    await until(
      async () => {
        const before = b.requests.length
        await assertDelivered(server, await orderOne(server))
        return b.requests.length === before
      },
      { what: 'the first one makes images again' },
    )
    assert.ok(b.requests.length >= served)
  })

  test('with one priority they share by their weights', async () => {
    await using two = await startTwo({
      a: ', priority: 1, weight: 3, concurrency: 100',
      b: ', priority: 1, weight: 1, concurrency: 100',
    })
    const { a, b, server } = two
    const ids = await orderMany(server, 80)
    await untilReady(server, ids.length)
    // Of 80 draws at 3 to 1, fewer than 8 or more than 36 come once in a million runs.
    assert.ok(b.requests.length >= 8 && b.requests.length <= 36, `${a.requests.length} to ${b.requests.length}`)
    assert.equal(a.requests.length + b.requests.length, 80)
  })

  test('a call whose outcome is unknown is not repeated elsewhere where that is not wanted', async () => {
    await using two = await startTwo({ env: { RETRY_UNKNOWN: 'off' } })
    two.a.setFault('cut_off')
    const id = await orderOne(two.server)
    assert.equal((await two.server.get(pathOf(id))).error.code, 'generation_failed')
    assert.deepEqual(await wordsOf(two.server, id), ['a unknown unknown'])
    assert.deepEqual((await verifyLedger(two.server.db)).faults, [])
  })
})

describe('the limits of a route', { timeout: 60_000, concurrency: 2 }, () => {
  test('count the calls of all processes together', async () => {
    await using emulator = await startOpenAiEmulator({ latencyMs: 60 })
    const env = { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url, OPENAI_CONCURRENCY: '3' }
    await using server = await startTestServer({ env })
    await using _second = await startTestServer({ role: 'worker', env, beside: server })
    await recordTransitions(server.databaseUrl)
    const ids = await orderMany(server, 24)
    await untilReady(server, ids.length)
    const most = mostAtOnce(await attemptsMade(server.databaseUrl))
    assert.ok(most >= 2 && most <= 3, `${most} at once`)
  })

  test('space the calls out in time', async () => {
    await using emulator = await startOpenAiEmulator()
    const env = { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url, OPENAI_PER_MINUTE: '40' }
    await using server = await startTestServer({ env })
    const ids = await orderMany(server, 7)
    await untilReady(server, ids.length)
    // One in 1.5 s, and what five idle seconds have saved up.
    for (const [index, { startedAt }] of (await attemptsMade(server.databaseUrl)).entries()) {
      assert.ok(startedAt >= (index - 4) * 1.5 - 0.05, `call ${index} after ${startedAt} s`)
    }
  })
})
