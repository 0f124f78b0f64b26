import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import { startOpenAiEmulator, until } from '@wombat/testing'
import { attemptsMade, inWords } from './attempts-made.ts'
import { decode, order, orderOne, pathOf } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

/** A Wombat in front of another one, which has the account that pays. */
async function startBefore(hosted: TestServer, env: Readonly<Record<string, string>> = {}) {
  return await startTestServer({
    env: {
      KOALA_API_KEY: hosted.apiKey,
      KOALA_BASE_URL: hosted.url,
      PROVIDER_ALLOW_PRIVATE: 'true',
      RETRY_MAX_DELAY_SECONDS: '0.2',
      ...env,
    },
  })
}

describe('the hosted API as an upstream', { timeout: 60_000, concurrency: 2 }, () => {
  test('makes the images of all models, and its credits are the ones that are spent', async () => {
    await using hosted = await startTestServer()
    await using server = await startBefore(hosted)
    for (const [model, quality, size, credits] of [
      ['gpt-image-2', 'medium', '1792x1008', 8],
      ['ideogram-3.0', 'turbo', '1536x640', 3],
      ['nano-banana-2', undefined, '640x1536', 5],
      ['standard', undefined, '896x1152', 1],
      ['premium', undefined, '1024x1024', 5],
    ] as const) {
      const before = await hosted.balance()
      const answer = await server.post({ prompt: 'wombat', model, quality, size })
      assert.equal(answer.headers.get('x-provider'), 'koala')
      const { status, bytes } = await server.get(answer.images[0]?.url ?? '')
      assert.equal(status, 200)
      const [width = 0, height = 0] = size.split('x').map(Number)
      assert.deepEqual(await decode(bytes), { format: 'jpeg', width, height })
      assert.equal(before - (await hosted.balance()), credits)
    }
    const id = await orderOne(server, { preserveOriginal: true })
    const { headers, bytes } = await server.get(pathOf(id))
    assert.equal(headers.get('content-type'), 'image/png')
    assert.equal((await decode(bytes)).format, 'png')
  })

  test('that has no credits left keeps the images waiting, and they come when it has', async () => {
    await using hosted = await startTestServer({ env: { BOOTSTRAP_CREDITS: '1' } })
    await using server = await startBefore(hosted)
    const ids = await order(server, { numImages: 3 })
    const parked = async () => (await attemptsMade(server.databaseUrl)).some(({ failure }) => failure === 'credentials')
    await until(parked, { what: 'the upstream has refused for its credits' })
    const { bookCredits } = await import('@wombat/engine')
    const booking = {
      accountId: hosted.accountId,
      kind: 'grant',
      credits: 10,
      ref: undefined,
      note: undefined,
    } as const
    await bookCredits(hosted.db, booking)
    for (const id of ids) {
      assert.equal((await server.get(pathOf(id))).status, 200)
    }
    assert.equal(await hosted.balance(), 11 - ids.length)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })

  test('whose image was refused for its content hands the refusal on, with the credits of both', async () => {
    await using openai = await startOpenAiEmulator()
    await using hosted = await startTestServer({ env: { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: openai.url } })
    await using server = await startBefore(hosted)
    openai.setFault('moderation')
    const [balance, hostedBalance] = [await server.balance(), await hosted.balance()]
    const id = await orderOne(server)
    const answer = await server.get(pathOf(id))
    assert.deepEqual([answer.status, answer.error.code], [422, 'moderation_refused'])
    assert.deepEqual((await attemptsMade(server.databaseUrl, id)).map(inWords), [
      'koala-gpt-image-2 refused moderation',
    ])
    assert.deepEqual([await server.balance(), await hosted.balance()], [balance, hostedBalance])
  })

  test('stands behind the key of an own upstream, and is asked at once when that is down', async () => {
    await using openai = await startOpenAiEmulator()
    await using hosted = await startTestServer()
    await using server = await startBefore(hosted, { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: openai.url })
    const id = await orderOne(server)
    assert.equal((await server.get(pathOf(id))).status, 200)
    openai.setFault('overloaded')
    const other = await orderOne(server)
    assert.equal((await server.get(pathOf(other))).status, 200)
    const words = await Promise.all(
      [id, other].map(async (one) => (await attemptsMade(server.databaseUrl, one)).map(inWords)),
    )
    assert.deepEqual(words, [['openai done'], ['openai not_sent transient', 'koala-gpt-image-2 done']])
  })
})
