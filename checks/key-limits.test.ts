/** What one key may do less than its account: models, qualities, sizes, networks. Its budgets: key-budgets.test.ts. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { changeKey, createKey, type KeyLimits, revokeKey } from '@wombat/accounts'
import { until } from '@wombat/testing'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

// The proxy's addresses are believed, so that a test can come from anywhere.
const env = { TRUST_PROXY: 'loopback' }
const server = await startTestServer({ role: 'api', env })
after(() => server[Symbol.asyncDispose]())
// A second process, since one of them could count for itself.
const second = await spawnTestServer({ role: 'api', beside: server, env })
after(() => second[Symbol.asyncDispose]())

const CAT = { prompt: 'cat' }

async function createKeyWith(limits: Partial<KeyLimits>, credits = 1000) {
  return await server.createAccount({ credits, limits })
}

describe('what a key may ask for', () => {
  const allowed = {
    allowedModels: ['gpt-image-2', 'standard'],
    allowedQualities: ['fast', 'standard'],
    allowedSizes: ['1024x1024', '1216x832'],
  }

  test('403 names the field, what was asked and what is allowed; the effective values count', async () => {
    const { apiKey, accountId } = await createKeyWith(allowed)
    const post = (body: object) => server.post({ ...CAT, ...body }, { key: apiKey })
    const model = await post({ model: 'nano-banana' })
    assert.equal(model.status, 403)
    assert.equal(model.error.code, 'key_not_allowed')
    assert.deepEqual(model.error.details, { field: 'model', asked: 'nano-banana-2', allowed: allowed.allowedModels })
    assert.equal(
      model.error.error,
      'This API key may not use the model nano-banana-2. It may use gpt-image-2, standard.',
    )
    const quality = await post({ quality: 'hd' })
    assert.deepEqual(quality.error.details, { field: 'quality', asked: 'high', allowed: allowed.allowedQualities })
    const size = await post({ size: '9:16' })
    assert.deepEqual(size.error.details, { field: 'size', asked: '1008x1792', allowed: allowed.allowedSizes })
    assert.equal(await server.balance(accountId), 1000)
    // Aliases and other sizes that become an allowed one.
    for (const body of [{}, { quality: 'low' }, { size: '900x900' }, { model: 'standard', size: '3:2' }]) {
      assert.equal((await post(body)).status, 200, JSON.stringify(body))
    }
  })

  test('a change is in force at once in every process, and what was granted is answered again', async () => {
    const { apiKey, keyId } = await server.createAccount()
    const headers = { 'Idempotency-Key': 'granted' }
    for (const one of [server, second]) {
      assert.equal((await one.post(CAT, { key: apiKey, headers })).status, 200)
    }
    assert.equal(await changeKey(server.db, keyId, { allowedModels: ['premium'] }), true)
    for (const one of [server, second]) {
      const isRefused = async () => (await one.post(CAT, { key: apiKey })).status === 403
      await until(isRefused, { timeoutMs: 3_000, what: 'the key is refused' })
      assert.equal((await one.post(CAT, { key: apiKey, headers })).status, 200)
    }
    await changeKey(server.db, keyId, { allowedModels: [] })
    await until(async () => (await second.post(CAT, { key: apiKey })).status === 200, { what: 'it is allowed' })
    await revokeKey(server.db, keyId)
    await until(async () => (await second.post(CAT, { key: apiKey })).status === 401, { what: 'it is revoked' })
  })
})

describe('where a key may be used', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address })

  test('403 outside its networks, of IPv4 and IPv6, with the address that the proxy tells', async () => {
    const { apiKey, accountId } = await createKeyWith({
      allowedNetworks: ['192.0.2.0/24', '198.51.100.7', '2001:db8:1::/48'],
    })
    const statusFrom = async (address: string) =>
      (await server.post(CAT, { key: apiKey, headers: from(address) })).status
    for (const address of [
      '192.0.2.0',
      '192.0.2.255',
      '::ffff:192.0.2.1',
      '198.51.100.7',
      '2001:db8:1::',
      '2001:DB8:1:ffff::1',
    ]) {
      assert.equal(await statusFrom(address), 200, address)
    }
    const before = await server.balance(accountId)
    for (const address of ['192.0.3.0', '198.51.100.8', '2001:db8:2::', '::ffff:192.0.3.1', '::c000:201']) {
      assert.equal(await statusFrom(address), 403, address)
    }
    const answer = await server.post(CAT, { key: apiKey, headers: from('203.0.113.9') })
    assert.equal(answer.error.code, 'address_not_allowed')
    assert.equal(answer.error.error, 'This API key may not be used from the address 203.0.113.9.')
    assert.deepEqual(answer.error.details, { address: '203.0.113.9' })
    assert.equal((await server.post(CAT, { key: apiKey })).status, 403, 'this machine')
    assert.equal(await server.balance(accountId), before)
  })

  test('who is not behind a proxy that is known can choose no address; a replay is refused too', async () => {
    await using direct = await startTestServer({ role: 'api', beside: server })
    const { apiKey } = await createKeyWith({ allowedNetworks: ['192.0.2.0/24'] })
    const headers = { ...from('192.0.2.1'), 'Idempotency-Key': 'from inside' }
    assert.equal((await server.post(CAT, { key: apiKey, headers })).status, 200)
    assert.equal((await direct.post(CAT, { key: apiKey, headers })).error.code, 'address_not_allowed')
    const local = await createKeyWith({ allowedNetworks: ['127.0.0.0/8', '::1'] })
    assert.equal((await direct.post(CAT, { key: local.apiKey })).status, 200)
  })

  test('a network that is none allows nobody', async () => {
    const { apiKey } = await createKeyWith({ allowedNetworks: ['everywhere'] })
    assert.equal((await server.post(CAT, { key: apiKey })).status, 403)
  })
})

test('checks in their order: 401, 429, 400, 403, 402', async () => {
  const { apiKey, accountId } = await server.createAccount({
    plan: 'basic',
    credits: 0,
    keyRateLimitPerMinute: 2,
    limits: { allowedNetworks: ['192.0.2.0/24'] },
  })
  assert.equal((await server.post({}, { key: 'wrong-key-wrong-key' })).status, 401)
  assert.equal((await server.post({}, { key: apiKey })).status, 400)
  assert.equal((await server.post(CAT, { key: apiKey })).error.code, 'address_not_allowed')
  assert.equal((await server.post({}, { key: apiKey })).status, 429)
  const other = await createKey(server.db, { accountId })
  assert.equal((await server.post({ ...CAT, model: 'premium' }, { key: other.apiKey })).error.code, 'plan_required')
  assert.equal((await server.post(CAT, { key: other.apiKey })).status, 402)
})
