/** `?dryRun=1`: everything that a POST checks, and nothing that it does. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import { startOpenAiEmulator } from '@wombat/testing'
import { query } from './image-tools.ts'
import { GENERATE, type SendOptions } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const emulator = await startOpenAiEmulator()
const server = await startTestServer({
  role: 'api',
  env: { OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url, SIMULATE_HEADER: 'true' },
})
after(async () => {
  await server[Symbol.asyncDispose]()
  await emulator[Symbol.asyncDispose]()
})

const DRY = `${GENERATE}?dryRun=1`

function price(body: unknown, options: SendOptions = {}) {
  return server.post(body, { path: DRY, ...options })
}

/** Everything that a request can leave behind. */
async function traces() {
  const [row] = await query(
    server.databaseUrl,
    `SELECT (SELECT count(*) FROM requests)::int AS requests, (SELECT count(*) FROM images)::int AS images,
            (SELECT count(*) FROM ledger_entries)::int AS entries, (SELECT sum(balance) FROM accounts)::int AS balances,
            (SELECT count(*) FROM idempotency_keys)::int AS keys`,
  )
  return { ...row }
}

describe('?dryRun=1', { timeout: 60_000 }, () => {
  test('answers what the request would come to, in the usual headers too', async () => {
    const before = await traces()
    const answer = await price({
      ...{ prompt: 'cat', quality: 'medium', size: '1600:900', numImages: 2, seed: 1 },
      generateAltText: true,
    })
    assert.equal(answer.status, 200)
    assert.deepEqual(answer.json, {
      dryRun: true,
      credits: 16,
      creditsPerImage: 8,
      balance: 1000,
      plan: 'professional',
      model: 'gpt-image-2',
      size: '1792x1008',
      quality: 'medium',
      provider: 'openai',
      ignoredParams: ['seed'],
    })
    const told = ['x-credits-charged', 'x-credits-remaining', 'x-effective-size', 'x-effective-quality', 'x-provider']
    assert.deepEqual(
      [...told, 'x-ignored-params'].map((name) => answer.headers.get(name)),
      ['0', '1000', '1792x1008', 'medium', 'openai', 'seed'],
    )
    assert.ok(answer.headers.has('ratelimit-remaining'))
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
    assert.deepEqual(await traces(), before)
    // Not for the alt text either.
    assert.equal(emulator.requests.length, 0)
  })

  test('with true and without the slash as well', async () => {
    for (const path of [`${GENERATE}?dryRun=true`, '/api/image-generation?dryRun=1']) {
      const answer = await server.post({ prompt: 'cat' }, { path })
      assert.equal(answer.headers.get('x-credits-charged'), '0', path)
    }
  })

  test('every other query changes nothing: the images are made and charged', async () => {
    for (const query of ['?dryRun=0', '?dryRun=yes', '?dryRun', '?dryrun=1', '?x=1&dryRun=1', '?dryRun=1&x', '?']) {
      const answer = await server.post({ prompt: 'cat' }, { path: `${GENERATE}${query}` })
      assert.equal(answer.images.length, 1, query)
      assert.equal(answer.headers.get('x-credits-charged'), '1', query)
    }
  })

  test('refuses what the request itself would be refused for, with the same answer', async () => {
    const basic = await server.createAccount({ plan: 'basic', credits: 3 })
    const poor = await server.createAccount({ credits: 7 })
    const cases: readonly (readonly [status: number, body: unknown, options: SendOptions])[] = [
      [401, { prompt: 'cat' }, { key: null }],
      [400, {}, {}],
      [400, { prompt: 'cat', size: 'huge' }, {}],
      [400, { prompt: 'cat' }, { headers: { 'X-Wombat-Tags': 'Team' } }],
      [400, { prompt: 'cat' }, { headers: { 'Idempotency-Key': 'x'.repeat(300) } }],
      [403, { prompt: 'cat', quality: 'high' }, { key: basic.apiKey }],
      [402, { prompt: 'cat', numImages: 4 }, { key: basic.apiKey }],
      [402, { prompt: 'cat', quality: 'medium' }, { key: poor.apiKey }],
      [415, undefined, { rawBody: 'prompt=cat', headers: { 'content-type': 'text/plain' } }],
    ]
    const before = await traces()
    for (const [status, body, options] of cases) {
      const dry = await price(body, options)
      const real = await server.post(body, options)
      assert.equal(dry.status, status, dry.text)
      assert.equal(real.status, status, real.text)
      const { requestId: _dry, ...dryError } = dry.error
      const { requestId: _real, ...realError } = real.error
      assert.deepEqual(dryError, realError)
    }
    assert.deepEqual(await traces(), before)
  })

  test('the whole balance is enough', async () => {
    const account = await server.createAccount({ credits: 8 })
    const body = { prompt: 'cat', quality: 'medium' }
    const answer = await price(body, { key: account.apiKey })
    assert.equal(answer.headers.get('x-credits-remaining'), '8')
    assert.equal((await server.post(body, { key: account.apiKey })).status, 200)
    assert.equal((await price(body, { key: account.apiKey })).error.code, 'insufficient_credits')
  })

  test('counts for the rate limit', async () => {
    const account = await server.createAccount({ rateLimitPerMinute: 2 })
    const statuses = []
    for (let n = 0; n < 3; n += 1) {
      statuses.push((await price({ prompt: 'cat' }, { key: account.apiKey })).status)
    }
    assert.deepEqual(statuses, [200, 200, 429])
  })

  test('an Idempotency-Key is looked at and not used: free for the same request, 409 for another', async () => {
    const headers = { 'Idempotency-Key': 'dry-1' }
    assert.equal((await price({ prompt: 'cat' }, { headers })).status, 200)
    const real = await server.post({ prompt: 'dog' }, { headers })
    assert.equal(real.headers.get('idempotent-replayed'), null)
    const account = await server.balance()
    const again = await price({ prompt: 'dog' }, { headers })
    const body = again.json
    assert.ok(typeof body === 'object' && body !== null && 'credits' in body)
    assert.equal(body.credits, 0)
    assert.equal((await price({ prompt: 'cat' }, { headers })).error.code, 'idempotency_conflict')
    assert.equal(await server.balance(), account)
  })

  test('acts out the error that it is asked for', async () => {
    const headers = { 'X-Wombat-Simulate': 'error=insufficient_credits' }
    const answer = await price({ prompt: 'cat', model: 'standard' }, { headers })
    assert.deepEqual([answer.status, answer.error.code], [402, 'insufficient_credits'])
  })

  test('and the ledger is sound', async () => {
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})
