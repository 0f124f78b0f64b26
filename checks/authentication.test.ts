/** Keys of a POST: how they may be written, and how soon they end. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { createKey, revokeKey, setAccountDisabled } from '@wombat/accounts'
import { withClient } from '@wombat/database'
import { until } from '@wombat/testing'
import { type SpawnedServer, spawnTestServer, startTestServer, type TestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())
const second = await spawnTestServer({ role: 'api', beside: server, env: { LOG_LEVEL: 'trace' } })
after(() => second[Symbol.asyncDispose]())

const CAT = { prompt: 'a cat that nobody may read of' }

describe('Authorization', () => {
  test('the scheme in any case, and spare spaces', async () => {
    for (const authorization of ['Bearer KEY', 'bearer KEY', 'BEARER KEY', 'bEaReR    KEY', '  Bearer KEY  ']) {
      const headers = { authorization: authorization.replace('KEY', server.apiKey) }
      assert.equal((await server.post(CAT, { key: null, headers })).status, 200, authorization)
    }
  })

  test('401 with WWW-Authenticate for everything else, and the answer says what to send', async () => {
    const { apiKey } = server
    const wrong = [
      '',
      'Bearer',
      'Bearer ',
      apiKey,
      `Basic ${apiKey}`,
      `Bearer ${apiKey} x`,
      `Bearer${apiKey}`,
      `Bearer "${apiKey}"`,
    ]
    const values = [
      ...wrong,
      `Bearer ${apiKey.slice(1)}`,
      `Bearer ${apiKey.toUpperCase()}`,
      `Bearer ${apiKey},`,
      `Token ${apiKey}`,
    ]
    for (const authorization of [
      ...values,
      'Bearer YOUR_API_KEY',
      'Bearer ééééééééééééééééé',
      `Bearer ${'x'.repeat(9000)}`,
    ]) {
      const answer = await server.post(CAT, { key: null, headers: { authorization } })
      assert.equal(answer.status, 401, authorization)
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
      assert.equal(answer.error.code, 'unauthorized')
      assert.match(answer.error.error, /Authorization: Bearer YOUR_API_KEY/)
    }
  })

  test('a missing key is told from a wrong one, in words only', async () => {
    const missing = await server.post(CAT, { key: null })
    const wrong = await server.post(CAT, { key: crypto.randomUUID() })
    assert.match(missing.error.error, /missing/)
    assert.match(wrong.error.error, /not valid/)
  })

  test('a key in the body or in the address is no key', async () => {
    const path = `/api/image-generation/?api_key=${server.apiKey}&key=${server.apiKey}`
    assert.equal((await server.post({ ...CAT, api_key: server.apiKey }, { key: null, path })).status, 401)
    const headers = { 'x-api-key': server.apiKey, cookie: `key=${server.apiKey}` }
    assert.equal((await server.post(CAT, { key: null, headers })).status, 401)
  })
})

/** Both know the key already, so that what they remember of it has to go. */
async function warm(key: string): Promise<void> {
  for (const one of [server, second]) {
    assert.equal((await one.post(CAT, { key })).status, 200)
  }
}

async function soon(one: TestServer | SpawnedServer, key: string, status: number): Promise<void> {
  const is = async () => (await one.post(CAT, { key })).status === status
  await until(is, { timeoutMs: 3_000, what: `a ${status}` })
}

describe('at once, in every process', () => {
  test('a revoked key is refused', async () => {
    const { apiKey, keyId } = await server.createAccount()
    await warm(apiKey)
    assert.equal(await revokeKey(server.db, keyId), true)
    await soon(server, apiKey, 401)
    await soon(second, apiKey, 401)
  })

  test('a disabled account is refused with 403, and taken again when it is enabled', async () => {
    const { apiKey, accountId } = await server.createAccount()
    await warm(apiKey)
    await setAccountDisabled(server.db, accountId, true)
    await soon(second, apiKey, 403)
    await soon(server, apiKey, 403)
    const answer = await server.post(CAT, { key: apiKey })
    assert.equal(answer.error.code, 'account_disabled')
    assert.doesNotMatch(answer.error.error, /Professional/)
    await setAccountDisabled(server.db, accountId, false)
    await soon(second, apiKey, 200)
  })

  test('an account that is disabled without a word to the servers is refused by the transaction itself', async () => {
    const { apiKey, accountId } = await server.createAccount()
    await warm(apiKey)
    await withClient(server.databaseUrl, (client) =>
      client.query('UPDATE accounts SET disabled_at = now() WHERE id = $1', [accountId]),
    )
    assert.equal((await server.post(CAT, { key: apiKey })).error.code, 'account_disabled')
    assert.equal(await server.balance(accountId), 998)
  })

  test('a key works as soon as it is made, also one that was refused a moment ago', async () => {
    const { accountId } = await server.createAccount()
    const apiKey = crypto.randomUUID()
    assert.equal((await second.post(CAT, { key: apiKey })).status, 401)
    await createKey(server.db, { accountId, apiKey })
    await soon(second, apiKey, 200)
  })
})

test('a key is refused from the moment that it expires, in every process, though it is remembered', async () => {
  const expiresAt = new Date(Date.now() + 1_500)
  const { apiKey } = await server.createAccount({ expiresAt })
  await warm(apiKey)
  await until(() => Date.now() > expiresAt.getTime(), { what: 'the end of the key' })
  for (const one of [server, second]) {
    assert.equal((await one.post(CAT, { key: apiKey })).status, 401)
  }
})

test('a key that is being looked up while others change is taken', async () => {
  const { apiKey } = await server.createAccount()
  const notified = Promise.withResolvers<void>()
  const unsubscribe = await server.engine.listener.subscribe('wombat_accounts', () => notified.resolve())
  const answer = await withClient(server.databaseUrl, async (client) => {
    await client.query('BEGIN')
    await client.query('LOCK TABLE api_keys')
    const answering = server.post(CAT, { key: apiKey })
    const waiting = 'SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = $1'
    const isWaiting = async () => (await client.query(waiting, ['Lock'])).rowCount === 1
    await until(isWaiting, { what: 'the look-up' })
    await notifyAccountsChanged()
    await notified.promise
    await client.query('ROLLBACK')
    return await answering
  })
  unsubscribe()
  assert.equal(answer.status, 200)
})

function notifyAccountsChanged(): Promise<unknown> {
  return withClient(server.databaseUrl, (client) => client.query(`SELECT pg_notify('wombat_accounts', '')`))
}

test('only a hash and the last four characters of a key are stored', async () => {
  const { apiKey, keyId } = await server.createAccount()
  await withClient(server.databaseUrl, async (client) => {
    const { rows } = await client.query('SELECT k::text AS text, last_four FROM api_keys k WHERE id = $1', [keyId])
    assert.equal(rows[0].last_four, apiKey.slice(-4))
    assert.ok(!rows[0].text.includes(apiKey.slice(0, -4)))
  })
})

test('no key and no prompt is in the log, whatever went well or wrong', async () => {
  const wrongKey = crypto.randomUUID()
  await second.post(CAT)
  await second.post(CAT, { key: wrongKey })
  await second.post({ ...CAT, size: 'a size that nobody may read of' })
  await second.post(undefined, { rawBody: JSON.stringify(CAT).slice(0, -1) })
  await withClient(server.databaseUrl, (client) => client.query('ALTER TABLE requests RENAME TO elsewhere'))
  try {
    assert.equal((await second.post(CAT)).status, 500)
  } finally {
    await withClient(server.databaseUrl, (client) => client.query('ALTER TABLE elsewhere RENAME TO requests'))
  }
  await until(() => second.output.includes('request failed'), { what: 'the line of the error' })
  assert.match(second.output, /images requested/)
  for (const secret of [server.apiKey, wrongKey, 'nobody may read of']) {
    assert.ok(!second.output.includes(secret), secret)
  }
})
