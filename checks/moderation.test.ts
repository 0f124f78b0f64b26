import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { REFUSED_WORD, startOpenAiEmulator } from '@wombat/testing'
import { orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const BODY = { prompt: 'wombat', enhancePrompt: 'off' }

describe('refusals for the content', { timeout: 60_000 }, () => {
  test('of one key are limited: then it gets 429, and other keys of the account go on', async () => {
    await using openai = await startOpenAiEmulator()
    await using server = await startTestServer({
      env: { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: openai.url, MODERATION_REFUSALS_PER_HOUR: '2' },
    })
    const other = await server.createAccount()
    for (let n = 0; n < 2; n += 1) {
      const answer = await server.get(pathOf(await orderOne(server, { prompt: `${REFUSED_WORD} ${n}` })))
      assert.equal(answer.status, 422)
      assert.deepEqual(answer.error.details, { refunded: true })
    }
    const balance = await server.balance()
    const refused = await server.post(BODY)
    assert.deepEqual([refused.status, refused.error.code], [429, 'rate_limited'])
    assert.deepEqual(refused.error.details, { scope: 'moderation', limit: 2, windowSeconds: 3600 })
    assert.ok(Number(refused.headers.get('retry-after')) > 0)
    assert.equal(await server.balance(), balance)
    // As any limit of a key, before its mistakes.
    assert.equal((await server.post({})).status, 429)
    assert.equal((await server.post(BODY, { key: other.apiKey })).status, 200)

    await query(
      server.databaseUrl,
      `UPDATE images SET finished_at = finished_at - interval '61 minutes' WHERE status = 'failed'`,
    )
    assert.equal((await server.post(BODY)).status, 200)
  })

  test('are not limited by default', async () => {
    await using openai = await startOpenAiEmulator()
    await using server = await startTestServer({ env: { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: openai.url } })
    for (let n = 0; n < 5; n += 1) {
      assert.equal((await server.get(pathOf(await orderOne(server, { prompt: `${REFUSED_WORD} ${n}` })))).status, 422)
    }
    assert.equal((await server.post(BODY)).status, 200)
  })
})
