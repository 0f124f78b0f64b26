/** That what the admin API sets for plans, accounts and keys is what requests are held to, and what it says of cancelling. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { until } from '@wombat/testing'
import { startAdminServer } from './admin-fixture.ts'
import { finishNow, idOf } from './image-tools.ts'

const { server, ok, refused, newest, entries, open } = await startAdminServer()
after(() => server[Symbol.asyncDispose]())

const CAT = { prompt: 'cat' }

/** A change reaches the server through the database, at once but not within the call. */
async function soon(apiKey: string, body: object, code: string | undefined): Promise<void> {
  const isSo = async () => {
    const answer = await server.post(body, { key: apiKey })
    return (answer.status === 200 ? undefined : answer.error.code) === code
  }
  await until(isSo, { timeoutMs: 5_000, what: `the answer is ${code ?? 'a success'}` })
}

describe('limits that the admin API sets', () => {
  test('a plan: its models, its gate and its rate', async () => {
    await ok('POST', '/plans', { name: 'agency', isProfessional: false, models: ['gpt-image-2'] }, 201)
    const { accountId, apiKey } = await open('Ann', { plan: 'agency', credits: 1000 })
    const high = { ...CAT, quality: 'high' }
    await soon(apiKey, { ...CAT, model: 'standard' }, 'plan_required')
    await soon(apiKey, high, 'plan_required')
    await ok('PATCH', '/plans/agency', { isProfessional: true, models: [] })
    await soon(apiKey, high, undefined)
    await soon(apiKey, { ...CAT, model: 'standard' }, undefined)
    await ok('PATCH', `/accounts/${accountId}`, { plan: 'basic' })
    await soon(apiKey, high, 'plan_required')
    await ok('PATCH', '/plans/basic', { rateLimitPerMinute: 1 })
    await soon(apiKey, CAT, 'rate_limited')
    await ok('PATCH', '/plans/basic', { rateLimitPerMinute: null })
    await soon(apiKey, CAT, undefined)
  })

  test('a key: its budget, its lists and where it is used from, when it is made and later', async () => {
    const { accountId } = await open('Bob', { credits: 1000 })
    const limits = { dailyBudget: 1, allowedModels: ['gpt-image-2'], allowedNetworks: ['127.0.0.1'] }
    const { keyId, apiKey } = await ok('POST', `/accounts/${accountId}/keys`, limits, 201)
    const other = { ...CAT, model: 'standard' }
    assert.equal((await server.post(other, { key: apiKey })).error.code, 'key_not_allowed')
    assert.equal((await server.post(CAT, { key: apiKey })).status, 200)
    assert.equal((await server.post(CAT, { key: apiKey })).error.code, 'budget_exceeded')
    await ok('PATCH', `/keys/${keyId}`, { dailyBudget: null, allowedModels: [] })
    await soon(apiKey, other, undefined)
    await ok('PATCH', `/keys/${keyId}`, { monthlyBudget: 2 })
    await soon(apiKey, CAT, 'budget_exceeded')
    await ok('PATCH', `/keys/${keyId}`, { allowedNetworks: ['10.0.0.0/8'] })
    await soon(apiKey, CAT, 'address_not_allowed')
    await refused(400, 'invalid_request', 'PATCH', `/keys/${keyId}`, { allowedSizes: ['1x1'] })
  })
})

describe('cancelling and tags', () => {
  test('an image that waits is called off once, and one that is done is not', async () => {
    const { accountId, apiKey } = await open('Carol', { credits: 10 })
    const headers = { 'X-Wombat-Tags': 'team=acme' }
    const { images } = await server.post({ ...CAT, numImages: 2 }, { key: apiKey, headers })
    const [first = '', second = ''] = images.map(({ url }) => idOf(url))
    const balance = await server.balance(accountId)
    assert.deepEqual(await ok('POST', `/images/${first}/cancel`), { imageId: first, status: 'cancelled' })
    const price = (await server.balance(accountId)) - balance
    assert.ok(price > 0)
    const before = await entries()
    assert.deepEqual(await ok('POST', `/images/${first}/cancel`), { imageId: first, status: 'cancelled' })
    assert.equal(await server.balance(accountId), balance + price, 'nothing is given back twice')
    assert.equal(await entries(), before, 'what changes nothing leaves no entry')
    assert.deepEqual(await newest(1), [{ actor: 'ann', action: 'image.cancel', subject: first, details: null }])
    await finishNow(server.engine, second, 'image/png')
    const late = await refused(409, 'conflict', 'POST', `/images/${second}/cancel`)
    assert.deepEqual(late.error.details, { reason: 'ready' })
    await refused(404, 'not_found', 'POST', '/images/v2-aaaaaaaaa-bbbbbbbbb/cancel')

    assert.deepEqual((await ok('GET', `/images/${second}`)).tags, { team: 'acme' })
    const { lines } = await ok('GET', `/usage?by=tag:team&accountId=${accountId}`)
    assert.deepEqual(
      lines.map(({ group, ordered, creditsNet }: Record<string, unknown>) => [group, ordered, creditsNet]),
      [['acme', 2, price]],
    )
    await refused(400, 'invalid_request', 'GET', '/usage?by=tag:No')
  })
})
