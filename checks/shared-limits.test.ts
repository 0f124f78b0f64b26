/** Limits that several clients share, and what they must not do to those who did nothing. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createKey } from '@wombat/accounts'
import { startTestServer } from './server-fixture.ts'

const CAT = { prompt: 'cat' }

describe('limits that are shared', async () => {
  const server = await startTestServer({
    role: 'api',
    env: { AUTH_FAILURES_PER_MINUTE: '5', NOT_FOUND_PER_MINUTE: '5' },
  })
  after(() => server[Symbol.asyncDispose]())

  test('the limit of an account counts all of its keys together', async () => {
    const { apiKey, accountId } = await server.createAccount({ rateLimitPerMinute: 3 })
    const other = await createKey(server.db, { accountId })
    const answers = []
    for (const key of [apiKey, other.apiKey, apiKey, other.apiKey]) {
      answers.push(await server.post(CAT, { key }))
    }
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200, 429],
    )
    const last = answers.at(-1)
    assert.deepEqual(last?.error.details, { scope: 'account', limit: 3, windowSeconds: 60 })
    assert.equal(last?.headers.get('ratelimit-remaining'), '0')
  })

  test('wrong keys from an address do not lock out a good key that was never used there', async () => {
    const { apiKey } = await server.createAccount()
    const statuses = []
    for (let turn = 0; turn < 7; turn += 1) {
      statuses.push((await server.post(CAT, { key: crypto.randomUUID() })).status)
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429])
    assert.equal((await server.post(CAT, { key: apiKey })).status, 200)
  })

  test('guessed image ids from an address do not hide an image from others there', async () => {
    const { images } = await server.post(CAT)
    const url = images[0]?.url ?? ''
    const statuses = []
    for (let turn = 0; turn < 7; turn += 1) {
      statuses.push((await fetch(`${server.url}/api/image/v2-aaaaaaaaa-00000000${turn}.jpg`)).status)
    }
    assert.deepEqual(statuses, [404, 404, 404, 404, 404, 429, 429])
    assert.equal((await fetch(url.replace('.jpg', '.json'))).status, 200)
  })

  test('a repeated request is answered again after the plan has changed', async () => {
    const { apiKey, accountId } = await server.createAccount()
    const order = { prompt: 'cat', quality: 'medium' }
    const headers = { 'Idempotency-Key': 'before the downgrade' }
    const first = await server.post(order, { key: apiKey, headers })
    await server.db.prisma.account.update({ where: { id: accountId }, data: { plan: 'basic' } })
    const basic = await createKey(server.db, { accountId })
    const again = await server.post(order, { key: basic.apiKey, headers })
    assert.equal(again.headers.get('idempotent-replayed'), 'true')
    assert.deepEqual(again.images, first.images)
    assert.equal((await server.post(order, { key: basic.apiKey })).status, 403)
  })
})
