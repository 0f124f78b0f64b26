import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { verifyLedger } from '@wombat/ledger'
import { startOpenAiEmulator } from '@wombat/testing'
import { query } from './image-tools.ts'
import type { Answer, SendOptions } from './send.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const server = await startTestServer({ env: { DEV_MODE: 'true', RETRY_MAX_DELAY_SECONDS: '0.05' } })
after(() => server[Symbol.asyncDispose]())

const BODY = { prompt: 'wombat', enhancePrompt: 'off' }

async function ask(simulate: string, fields: object = {}, at: TestServer = server): Promise<Answer> {
  return await at.post({ ...BODY, ...fields }, { headers: { 'x-wombat-simulate': simulate } })
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive'])

describe('an error of the POST itself', { timeout: 60_000 }, () => {
  for (const { code, status, headers = {}, details } of [
    { code: 'payload_too_large', status: 413 },
    { code: 'unsupported_media_type', status: 415 },
    { code: 'unauthorized', status: 401, headers: { 'www-authenticate': /^Bearer$/ } },
    {
      code: 'rate_limited',
      status: 429,
      headers: { 'retry-after': /^[1-9]\d*$/, 'ratelimit-remaining': /^0$/, 'ratelimit-limit': /^1000000$/ },
      details: { scope: 'key', limit: 1_000_000, windowSeconds: 60 },
    },
    { code: 'invalid_json', status: 400 },
    { code: 'invalid_request', status: 400 },
    { code: 'model_unavailable', status: 400 },
    { code: 'account_disabled', status: 403 },
    { code: 'plan_required', status: 403, details: { requiredPlan: 'professional', plan: 'basic' } },
    { code: 'idempotency_conflict', status: 409 },
    { code: 'insufficient_credits', status: 402, details: { required: 2, available: 1 } },
    { code: 'internal_error', status: 500 },
    { code: 'overloaded', status: 503, headers: { 'retry-after': /^\d$/ } },
    { code: 'shutting_down', status: 503, headers: { 'retry-after': /^2$/ } },
  ] as {
    code: string
    status: number
    headers?: Record<string, RegExp>
    details?: object
  }[]) {
    test(`${code}: ${status}, as the real one, and nothing is charged`, async () => {
      const { accountId, apiKey } = await server.createAccount({ credits: 10 })
      const answer = await server.post(
        { ...BODY, numImages: 2 },
        { key: apiKey, headers: { 'x-wombat-simulate': `error=${code}` } },
      )
      assert.equal(answer.status, status)
      assert.equal(answer.error.code, code)
      assert.ok(!/simulated/.test(answer.text) || code === 'model_unavailable', answer.text)
      for (const [name, pattern] of Object.entries(headers)) {
        assert.match(answer.headers.get(name) ?? '', pattern, name)
      }
      if (details !== undefined) {
        assert.deepEqual(answer.error.details, details)
      }
      assert.equal(await server.balance(accountId), 10)
      assert.deepEqual(await query(server.databaseUrl, 'SELECT FROM requests WHERE account_id = $1', [accountId]), [])
    })
  }

  for (const [code, body, options] of [
    ['payload_too_large', { ...BODY, prompt: 'x'.repeat(1024 * 1024) }, {}],
    ['unsupported_media_type', BODY, { headers: { 'content-type': 'text/plain' } }],
    ['unauthorized', BODY, { key: 'wrong-key-wrong-key' }],
    ['invalid_json', undefined, { rawBody: '{' }],
    ['invalid_request', {}, {}],
    ['plan_required', { ...BODY, quality: 'high' }, { isBasic: true }],
    ['insufficient_credits', { ...BODY, quality: 'high' }, { credits: 19 }],
  ] as readonly [string, unknown, SendOptions & { isBasic?: true; credits?: number }][]) {
    test(`${code}: body and headers are those of the real one`, async () => {
      const { isBasic, credits = 1000, ...sent } = options
      const { apiKey } = await server.createAccount({ plan: isBasic === true ? 'basic' : 'professional', credits })
      const real = await server.post(body, { key: apiKey, ...sent })
      const rich = await server.createAccount()
      const sane = code === 'invalid_request' || body === undefined || code === 'payload_too_large' ? BODY : body
      const simulated = await server.post(sane, {
        key: rich.apiKey,
        headers: { 'x-wombat-simulate': `error=${code}` },
      })
      assert.equal(real.error.code, code)
      assert.equal(simulated.status, real.status)
      assert.deepEqual({ ...simulated.error, requestId: '' }, { ...real.error, requestId: '' })
      const names = ({ headers }: Answer) => [...headers.keys()].filter((name) => !HOP_BY_HOP.has(name))
      assert.deepEqual(names(simulated), names(real))
    })
  }

  test('stands in its place among the checks: what comes before it wins', async () => {
    const headers = { 'x-wombat-simulate': 'error=insufficient_credits' }
    assert.equal((await server.post(BODY, { headers, key: 'wrong-key-wrong-key' })).error.code, 'unauthorized')
    assert.equal((await server.post({ ...BODY, size: 'big' }, { headers })).error.code, 'invalid_request')
    const { apiKey } = await server.createAccount({ plan: 'basic' })
    assert.equal(
      (await server.post({ ...BODY, quality: 'high' }, { headers, key: apiKey })).error.code,
      'plan_required',
    )
    assert.equal(
      (await server.post({ ...BODY, size: 'big' }, { headers: { 'x-wombat-simulate': 'error=unauthorized' } })).status,
      401,
    )
  })

  test('leaves an Idempotency-Key free for the next try, and never repeats a request that was granted', async () => {
    const { accountId, apiKey: key } = await server.createAccount({ credits: 10 })
    const post = (simulate?: string) =>
      server.post(BODY, {
        key,
        headers: { 'idempotency-key': 'again', ...(simulate === undefined ? {} : { 'x-wombat-simulate': simulate }) },
      })
    assert.equal((await post('error=internal_error')).status, 500)
    const granted = await post()
    assert.equal(granted.status, 200)
    assert.equal((await post('error=internal_error')).status, 409)
    assert.equal((await post('error=insufficient_credits')).status, 409)
    assert.deepEqual((await post()).images, granted.images)
    assert.equal(await server.balance(accountId), 9)
  })
})

describe('the header X-Wombat-Simulate', { timeout: 60_000 }, () => {
  test('that says nothing known is a 400 that says what it takes', async () => {
    for (const [simulate, message] of [
      ['slow', /^The header X-Wombat-Simulate takes latency=5s, outage=10m, /],
      ['latency=ages', /^The header X-Wombat-Simulate takes latency as a duration/],
      ['', /^The header X-Wombat-Simulate takes latency=5s/],
      ['image=2,moderation', /takes image as one of the 1 that the request asks for/],
    ] as const) {
      const { status, error } = await ask(simulate)
      assert.deepEqual([status, error.code, error.details?.field], [400, 'invalid_request', 'X-Wombat-Simulate'])
      assert.match(error.message, message)
    }
  })

  test('belongs to what an Idempotency-Key stands for', async () => {
    const post = (simulate?: string) =>
      server.post(BODY, {
        headers: {
          'idempotency-key': 'simulated',
          ...(simulate === undefined ? {} : { 'x-wombat-simulate': simulate }),
        },
      })
    const first = await post('latency=10ms,unknown=1')
    assert.deepEqual((await post('unknown, latency=10ms')).images, first.images)
    assert.equal((await post('latency=11ms,unknown')).status, 409)
    assert.equal((await post()).status, 409)
  })

  test('may be sent by pages of other origins', async () => {
    const { headers } = await server.get('/api/image-generation/', { method: 'OPTIONS' })
    assert.match(headers.get('access-control-allow-headers') ?? '', /, X-Wombat-Simulate$/)
  })

  for (const env of [{}, { DEV_MODE: 'true', SIMULATE_HEADER: 'false' }]) {
    test(`has no effect and is named where it is not allowed: ${JSON.stringify(env)}`, async () => {
      await using strict = await startTestServer({ env })
      for (const simulate of ['moderation', 'nonsense', 'error=unauthorized']) {
        const answer = await ask(simulate, { colour: 'red' }, strict)
        assert.equal(answer.headers.get('x-ignored-params'), 'X-Wombat-Simulate, colour')
        assert.equal((await strict.get(answer.images[0]?.url ?? '')).status, 200)
      }
      const { headers } = await strict.get('/api/image-generation/', { method: 'OPTIONS' })
      assert.doesNotMatch(headers.get('access-control-allow-headers') ?? '', /Simulate/)
    })
  }

  test('has no effect on a model of a real upstream, not even on the POST', async () => {
    await using emulator = await startOpenAiEmulator()
    await using mixed = await startTestServer({
      env: { SIMULATE_HEADER: 'true', OPENAI_API_KEY: 'sk-check', OPENAI_BASE_URL: emulator.url },
    })
    for (const simulate of ['moderation', 'error=unauthorized', 'nonsense']) {
      const answer = await ask(simulate, {}, mixed)
      assert.equal(answer.headers.get('x-ignored-params'), 'X-Wombat-Simulate')
      assert.equal((await mixed.get(answer.images[0]?.url ?? '')).status, 200)
    }
    const drawn = await ask('moderation', { model: 'standard' }, mixed)
    assert.equal(drawn.headers.get('x-ignored-params'), null)
    assert.equal((await mixed.get(drawn.images[0]?.url ?? '')).status, 422)
  })
})

test('the ledger is in order after all of this', async () => {
  assert.deepEqual((await verifyLedger(server.db)).faults, [])
})
