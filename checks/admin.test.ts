/** /admin/v1: who may, and what it takes. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { ANN, BOB, NOBODY, startAdminServer } from './admin-fixture.ts'
import { startTestServer } from './server-fixture.ts'

const { server, admin, refused, entries } = await startAdminServer()
after(() => server[Symbol.asyncDispose]())

const NO_IMAGE = 'v2-aaaaaaaaa-bbbbbbbbb'

describe('who may', () => {
  test('without ADMIN_TOKEN there is no such address', async () => {
    await using plain = await startTestServer({ role: 'api' })
    for (const path of ['/accounts', '/audit', '/usage', '']) {
      const answer = await admin('GET', path, undefined, { on: plain })
      assert.deepEqual([answer.status, answer.error.code], [404, 'not_found'])
    }
  })

  test('every address under it asks for a token first, also one that is none', async () => {
    for (const token of [null, 'wrong-secret-0123456789abcdef', ANN.slice(1), `${ANN}x`, `ann:${ANN}`, server.apiKey]) {
      for (const [method, path] of [
        ['GET', '/accounts'],
        ['POST', '/accounts'],
        ['DELETE', '/nothing'],
        ['PUT', '/accounts'],
        ['GET', ''],
      ] as const) {
        const answer = await admin(method, path, undefined, { token })
        assert.deepEqual([answer.status, answer.error.code], [401, 'unauthorized'], `${method} ${path}`)
        assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="admin"')
        assert.equal(answer.headers.get('cache-control'), 'no-store')
        assert.equal(answer.headers.get('access-control-allow-origin'), null)
      }
    }
  })

  test('another page in a browser gets no permission', async () => {
    const answer = await admin('OPTIONS', '/accounts', undefined, { token: null })
    assert.equal(answer.status, 401)
    for (const name of [
      'access-control-allow-origin',
      'access-control-allow-methods',
      'access-control-allow-headers',
    ]) {
      assert.equal(answer.headers.get(name), null)
    }
  })

  test('failures of an address are limited, apart from those of API keys, and a right token passes', async () => {
    await using strict = await startTestServer({
      role: 'api',
      env: { ADMIN_TOKEN: ANN, AUTH_FAILURES_PER_MINUTE: '3' },
    })
    const statuses: number[] = []
    for (let turn = 0; turn < 5; turn += 1) {
      statuses.push((await admin('GET', '/accounts', undefined, { on: strict, token: BOB })).status)
    }
    assert.deepEqual(statuses, [401, 401, 401, 429, 429])
    const limited = await admin('GET', '/accounts', undefined, { on: strict, token: BOB })
    assert.equal(limited.error.details?.scope, 'address')
    assert.equal((await admin('GET', '/accounts', undefined, { on: strict })).status, 200)
    assert.equal((await strict.post({ prompt: 'cat' }, { key: 'no-such-key-0123456789' })).status, 401)
    // A token without a name is called admin.
    await admin('POST', '/accounts', { name: 'x' }, { on: strict })
    const { items } = (await admin('GET', '/audit', undefined, { on: strict })).json as { items: { actor: string }[] }
    assert.deepEqual(
      items.map(({ actor }) => actor),
      ['admin'],
    )
  })

  test('an address that is none is a 404, one that takes another method a 405', async () => {
    await refused(404, 'not_found', 'GET', '/nothing')
    const answer = await refused(405, 'method_not_allowed', 'DELETE', '/accounts')
    assert.equal(answer.headers.get('allow'), 'GET, POST')
    assert.equal((await refused(405, 'method_not_allowed', 'GET', `/keys/${NOBODY}`)).headers.get('allow'), 'PATCH')
  })
})

describe('what it takes', () => {
  test('fields and queries that it does not know are refused by name, and nothing is changed', async () => {
    const before = await entries()
    const answer = await refused(400, 'invalid_request', 'POST', '/accounts', { name: 'x', rateLimit: 5, planet: 'm' })
    assert.equal(answer.error.details?.field, 'rateLimit')
    assert.deepEqual(
      [answer.error.details?.issues].flat().map((issue) => (issue as { field: string }).field),
      ['rateLimit', 'planet'],
    )
    assert.match(answer.error.message, /^rateLimit is no field of this call, which takes name, plan, credits, /)
    await refused(400, 'invalid_request', 'GET', '/accounts?limt=5')
    await refused(400, 'invalid_request', 'POST', `/accounts/${server.accountId}/disable`, { really: true })
    assert.equal(await entries(), before)
  })

  const WRONG: readonly (readonly [method: string, path: string, body: unknown, field: string, expected: RegExp])[] = [
    ['POST', '/accounts', {}, 'name', /a string/],
    ['POST', '/accounts', [], 'body', /a JSON object/],
    ['POST', '/accounts', null, 'body', /a JSON object/],
    ['POST', '/accounts', { name: 'x'.repeat(101) }, 'name', /at most 100 characters long/],
    ['POST', '/accounts', { name: 'a\nb' }, 'name', /one line/],
    ['POST', '/accounts', { name: 'a', credits: 1.5 }, 'credits', /whole number/],
    ['POST', '/accounts', { name: 'a', credits: -1 }, 'credits', /at least 0/],
    ['POST', '/accounts', { name: 'a', plan: 'nope' }, 'plan', /the name of a plan/],
    ['GET', '/accounts?limit=1001', undefined, 'limit', /at most 1000/],
    ['GET', '/accounts?limit=x', undefined, 'limit', /number/],
    ['GET', '/accounts?cursor=nonsense', undefined, 'cursor', /"next" of the answer before/],
    ['GET', '/audit?cursor=x', undefined, 'cursor', /"next" of the answer before/],
    ['GET', '/images?status=lost', undefined, 'status', /one of queued, /],
    ['GET', '/images?since=yesterday', undefined, 'since', /a time such as/],
    ['GET', '/usage?by=planet', undefined, 'by', /one of account, /],
    ['GET', '/usage?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z', undefined, 'until', /later than since/],
    ['POST', `/accounts/${NOBODY}/keys`, { allowedModels: ['dall-e'] }, 'allowedModels.0', /one of gpt-image-2/],
    ['POST', `/accounts/${NOBODY}/keys`, { allowedNetworks: ['10.0.0.0/33'] }, 'allowedNetworks.0', /./],
    ['POST', `/accounts/${NOBODY}/keys`, { allowedSizes: ['16:9'] }, 'allowedSizes.0', /one of 1024x1024, /],
    ['POST', `/accounts/${NOBODY}/keys`, { expiresAt: '2030-02-30T00:00:00Z' }, 'expiresAt', /a time such as/],
    ['POST', `/accounts/${NOBODY}/credits/adjust`, { credits: 0 }, 'credits', /not be 0/],
    ['POST', `/accounts/${NOBODY}/credits/grant`, { credits: -5 }, 'credits', /at least 1/],
    ['POST', '/plans', { name: 'Big', isProfessional: true }, 'name', /./],
  ]
  for (const [method, path, body, field, expected] of WRONG) {
    test(`${method} ${path.replace(NOBODY, 'ID')} ${JSON.stringify(body) ?? ''}`.slice(0, 90), async () => {
      const { error } = await refused(400, 'invalid_request', method, path, body)
      assert.equal(error.details?.field, field)
      assert.match(String(error.details?.expected), expected)
      assert.ok(error.message.startsWith(field), error.message)
    })
  }

  test('a body that is no JSON is a 400, of another type a 415, too large a 413', async () => {
    const broken = await admin('POST', '/accounts', undefined, { raw: '{"name":' })
    assert.deepEqual([broken.status, broken.error.code], [400, 'invalid_json'])
    const large = await admin('POST', '/accounts', undefined, { raw: `{"name":"${'x'.repeat(1_100_000)}"}` })
    assert.equal(large.status, 413)
    const form = await server.get('/admin/v1/accounts', {
      method: 'POST',
      headers: { authorization: `Bearer ${ANN}`, 'content-type': 'text/plain' },
      body: 'name=x',
    })
    assert.equal(form.status, 415)
  })

  test('what is not there is a 404, also by an id that is none', async () => {
    for (const [method, path, body] of [
      ['GET', `/accounts/${NOBODY}`, undefined],
      ['GET', '/accounts/xyz', undefined],
      ['PATCH', `/accounts/${NOBODY}`, { name: 'x' }],
      ['POST', `/accounts/${NOBODY}/disable`, undefined],
      ['POST', `/accounts/${NOBODY}/enable`, undefined],
      ['POST', `/accounts/${NOBODY}/erase`, undefined],
      ['GET', `/accounts/${NOBODY}/keys`, undefined],
      ['POST', `/accounts/${NOBODY}/keys`, {}],
      ['PATCH', `/keys/${NOBODY}`, { name: 'x' }],
      ['POST', `/keys/${NOBODY}/revoke`, undefined],
      ['GET', '/plans/nope', undefined],
      ['PATCH', '/plans/nope', { concurrency: 1 }],
      ['DELETE', '/plans/nope', undefined],
      ['POST', `/accounts/${NOBODY}/credits/grant`, { credits: 1 }],
      ['GET', `/accounts/${NOBODY}/ledger`, undefined],
      ['GET', `/images/${NO_IMAGE}`, undefined],
      ['POST', `/images/${NO_IMAGE}/retry`, undefined],
      ['POST', `/images/${NO_IMAGE}/erase`, undefined],
      ['GET', `/usage?accountId=${NOBODY}`, undefined],
      ['POST', '/routes/nowhere/resume', undefined],
    ] as const) {
      const before = await entries()
      const { error } = await refused(404, 'not_found', method, path, body)
      assert.ok(error.details !== undefined, 'told from an address that is none')
      assert.equal(await entries(), before, `${method} ${path} left no entry`)
    }
  })
})
