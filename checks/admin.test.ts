/** /admin/v1: who may, what it takes and answers, and what the audit log says afterwards. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { failImage } from '@wombat/ledger'
import { finishNow, order, orderOne, pathOf, query } from './image-tools.ts'
import type { Answer } from './send.ts'
import { startTestServer } from './server-fixture.ts'

const ANN = 'ann-secret-0123456789abcdef'
const BOB = 'bob-secret-0123456789abcdef'
const NOBODY = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'
const NO_IMAGE = 'v2-aaaaaaaaa-bbbbbbbbb'

const server = await startTestServer({ role: 'api', env: { ADMIN_TOKEN: `ann:${ANN}, bob:${BOB}` } })
after(() => server[Symbol.asyncDispose]())

interface Options {
  readonly token?: string | null
  readonly raw?: string
  readonly on?: typeof server
}

async function admin(method: string, path: string, body?: unknown, options: Options = {}): Promise<Answer> {
  const { token = ANN, raw, on = server } = options
  const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  return await on.get(`/admin/v1${path}`, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(text === undefined ? {} : { body: text }),
  })
}

// biome-ignore lint/suspicious/noExplicitAny: the answers are what is tested.
async function ok(method: string, path: string, body?: unknown, status = 200): Promise<any> {
  const answer = await admin(method, path, body)
  assert.equal(answer.status, status, answer.text)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.equal(answer.headers.get('access-control-allow-origin'), null)
  return answer.json
}

async function refused(status: number, code: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await admin(method, path, body)
  assert.deepEqual([answer.status, answer.error.code], [status, code], answer.text)
  return answer
}

async function newest(count: number) {
  const { items } = await ok('GET', `/audit?limit=${count}`)
  return items.map(({ actor, action, subject, details }: Record<string, unknown>) => ({
    actor,
    action,
    subject,
    details,
  }))
}

async function entries(): Promise<number> {
  const [row] = await query(server.databaseUrl, 'SELECT count(*)::int AS n FROM audit_entries')
  return Number(row?.n)
}

const open = (name: string, more = {}) => ok('POST', '/accounts', { name, ...more }, 201)

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
      (answer.error.details?.issues as { field: string }[]).map(({ field }) => field),
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
    ['POST', `/accounts/${NOBODY}/keys`, { allowedSizes: ['16:9'] }, 'allowedSizes.0', /a size such as/],
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

describe('accounts and keys', () => {
  test('an account is opened, changed, disabled and enabled, each with who did it', async () => {
    const made = await open('Carol', { credits: 20, plan: 'professional' })
    assert.deepEqual(Object.keys(made).sort(), [
      'accountId',
      'apiKey',
      'balance',
      'createdAt',
      'disabledAt',
      'isBootstrap',
      'keyId',
      'name',
      'plan',
      'rateLimitPerMinute',
    ])
    assert.equal((await server.post({ prompt: 'cat', enhancePrompt: 'off' }, { key: made.apiKey })).status, 200)

    const path = `/accounts/${made.accountId}`
    const changed = await ok('PATCH', path, { name: 'Carol & Co', rateLimitPerMinute: 7 })
    assert.deepEqual([changed.name, changed.plan, changed.rateLimitPerMinute], ['Carol & Co', 'professional', 7])
    assert.equal((await ok('PATCH', path, { rateLimitPerMinute: null })).rateLimitPerMinute, null)
    await refused(400, 'invalid_request', 'PATCH', path, { plan: 'nope' })

    const disabled = await admin('POST', `${path}/disable`, undefined, { token: BOB })
    assert.match(String((disabled.json as { disabledAt: string }).disabledAt), /^\d{4}-.*Z$/)
    assert.equal((await server.post({ prompt: 'cat' }, { key: made.apiKey })).status, 403)
    assert.equal((await ok('POST', `${path}/enable`)).disabledAt, null)
    assert.equal((await server.post({ prompt: 'cat' }, { key: made.apiKey })).status, 200)

    const [enable, disable, ...rest] = await newest(5)
    assert.deepEqual([enable.actor, enable.action], ['ann', 'account.enable'])
    assert.deepEqual([disable.actor, disable.action], ['bob', 'account.disable'])
    assert.deepEqual(
      rest.map(({ action, subject, details }: Record<string, unknown>) => [action, subject, details]),
      [
        ['account.change', made.accountId, { rateLimitPerMinute: null }],
        ['account.change', made.accountId, { name: 'Carol & Co', rateLimitPerMinute: 7 }],
        ['account.create', made.accountId, { name: 'Carol', plan: 'professional', credits: 20, keyId: made.keyId }],
      ],
    )
    const shown = await ok('GET', path)
    assert.equal(shown.balance, 18)
    assert.deepEqual(
      shown.keys.map(({ keyId, lastFour }: Record<string, unknown>) => [keyId, lastFour]),
      [[made.keyId, made.apiKey.slice(-4)]],
    )
  })

  test('a list comes in parts without a gap or a double, also when rows share a moment', async () => {
    const opened: string[] = []
    for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) {
      opened.push((await open(name)).accountId)
    }
    await query(server.databaseUrl, `UPDATE accounts SET created_at = '2020-01-01' WHERE id = ANY ($1::uuid[])`, [
      opened,
    ])
    const seen: string[] = []
    let cursor = ''
    do {
      const { items, next } = await ok('GET', `/accounts?limit=2${cursor}`)
      assert.ok(items.length <= 2)
      seen.push(...items.map(({ accountId }: { accountId: string }) => accountId))
      cursor = next === null ? '' : `&cursor=${next}`
    } while (cursor !== '')
    const rows = await query(server.databaseUrl, 'SELECT id FROM accounts')
    assert.equal(new Set(seen).size, seen.length)
    assert.deepEqual([...seen].sort(), rows.map(({ id }) => id).sort())
    assert.deepEqual(seen.slice(-5).sort(), opened.sort())
  })

  test('a key is shown once, changed, and revoked for ever; the log never has it', async () => {
    const { accountId } = await open('Dave', { credits: 5 })
    const limits = {
      rateLimitPerMinute: 9,
      dailyBudget: 10,
      monthlyBudget: 100,
      allowedModels: ['standard'],
      allowedQualities: ['fast'],
      allowedSizes: ['1024x1024'],
      allowedNetworks: ['10.0.0.0/8', '2001:db8::/32', '127.0.0.0/8'],
    }
    const wish = { name: 'deploy', expiresAt: '2099-01-01T00:00:00Z', ...limits }
    const { keyId, apiKey, ...rest } = await ok('POST', `/accounts/${accountId}/keys`, wish, 201)
    assert.deepEqual(rest, {})
    const listed = await admin('GET', `/accounts/${accountId}/keys`)
    assert.doesNotMatch(listed.text, new RegExp(apiKey))
    assert.doesNotMatch(listed.text, /hash/)
    const { items } = listed.json as { items: Record<string, unknown>[] }
    const { createdAt: _, ...shown } = items.find((key) => key.keyId === keyId) ?? {}
    assert.deepEqual(shown, {
      keyId,
      accountId,
      lastFour: apiKey.slice(-4),
      revokedAt: null,
      ...wish,
      expiresAt: '2099-01-01T00:00:00.000Z',
    })
    const changed = await ok('PATCH', `/keys/${keyId}`, {
      name: 'ci',
      expiresAt: null,
      allowedModels: [],
      dailyBudget: null,
    })
    assert.deepEqual(
      [changed.name, changed.expiresAt, changed.allowedModels, changed.dailyBudget, changed.monthlyBudget],
      ['ci', null, [], null, 100],
    )
    assert.deepEqual(await ok('POST', `/keys/${keyId}/revoke`), { keyId, revoked: true })
    assert.equal((await server.post({ prompt: 'cat' }, { key: apiKey })).status, 401)
    const before = await entries()
    assert.deepEqual(await ok('POST', `/keys/${keyId}/revoke`), { keyId, revoked: true })
    assert.equal(await entries(), before, 'what was revoked before is no change')

    const log = await newest(3)
    assert.deepEqual(
      log.map(({ action, subject }: Record<string, unknown>) => [action, subject]),
      [
        ['key.revoke', keyId],
        ['key.change', keyId],
        ['key.create', keyId],
      ],
    )
    assert.deepEqual(log[2].details, { accountId, ...wish, expiresAt: '2099-01-01T00:00:00.000Z' })
    const [leak] = await query(
      server.databaseUrl,
      'SELECT count(*)::int AS n FROM audit_entries e WHERE strpos(e::text, $1) > 0 OR strpos(e::text, $2) > 0',
      [apiKey, ANN],
    )
    assert.equal(leak?.n, 0)
  })

  test('a change that can not be logged is not made', async () => {
    const { accountId } = await open('Erin')
    await query(
      server.databaseUrl,
      `ALTER TABLE audit_entries ADD CONSTRAINT no_more CHECK (action NOT IN ('account.change', 'credit.grant', 'key.create')) NOT VALID`,
    )
    try {
      for (const [method, path, body] of [
        ['PATCH', `/accounts/${accountId}`, { name: 'Mallory' }],
        ['POST', `/accounts/${accountId}/credits/grant`, { credits: 100 }],
        ['POST', `/accounts/${accountId}/keys`, {}],
      ] as const) {
        await refused(500, 'internal_error', method, path, body)
      }
    } finally {
      await query(server.databaseUrl, 'ALTER TABLE audit_entries DROP CONSTRAINT no_more')
    }
    const { name, balance, keys } = await ok('GET', `/accounts/${accountId}`)
    assert.deepEqual([name, balance, keys.length], ['Erin', 0, 1])
  })
})

describe('plans', () => {
  test('a plan is made, changed, used, and deleted when nobody is on it', async () => {
    const plan = { name: 'agency', isProfessional: true, models: ['standard'], concurrency: 4, deadlineHours: 0.5 }
    const { createdAt: _, ...made } = await ok('POST', '/plans', plan, 201)
    assert.deepEqual(made, { ...plan, rateLimitPerMinute: null, deleteAfterDays: null })
    await refused(409, 'conflict', 'POST', '/plans', plan)
    const changed = await ok('PATCH', '/plans/agency', { models: [], concurrency: null, deleteAfterDays: 30 })
    assert.deepEqual([changed.models, changed.concurrency, changed.deleteAfterDays], [[], null, 30])
    assert.deepEqual(await ok('GET', '/plans/agency'), changed)
    const { items } = await ok('GET', '/plans')
    assert.deepEqual(
      items.map(({ name }: { name: string }) => name),
      ['agency', 'basic', 'professional'],
    )

    const { accountId, plan: opened } = await open('Frank', { plan: 'agency' })
    assert.equal(opened, 'agency')
    const inUse = await refused(409, 'conflict', 'DELETE', '/plans/agency')
    assert.deepEqual(inUse.error.details, { reason: 'in use' })
    assert.equal((await ok('PATCH', `/accounts/${accountId}`, { plan: 'basic' })).plan, 'basic')
    assert.deepEqual(await ok('DELETE', '/plans/agency'), { plan: 'agency', deleted: true })
    await refused(409, 'conflict', 'DELETE', '/plans/professional')
    const actions = (await newest(5)).map(({ action }: { action: string }) => action)
    assert.deepEqual(actions, ['plan.delete', 'account.change', 'account.create', 'plan.change', 'plan.create'])
  })
})

describe('credits and ledger', () => {
  test('a booking with a ref is made once, and a balance stays within its bounds', async () => {
    const { accountId } = await open('Grace')
    const grant = `/accounts/${accountId}/credits/grant`
    const invoice = { credits: 10, ref: 'invoice 7', note: 'thanks' }
    assert.deepEqual(await ok('POST', grant, invoice), {
      accountId,
      credits: 10,
      balance: 10,
      ref: 'invoice 7',
      repeated: false,
    })
    const before = await entries()
    assert.equal((await ok('POST', grant, invoice)).repeated, true)
    const other = await refused(409, 'conflict', 'POST', grant, { credits: 11, ref: 'invoice 7' })
    assert.deepEqual(other.error.details, { reason: 'ref used' })
    const low = await refused(409, 'conflict', 'POST', `/accounts/${accountId}/credits/adjust`, { credits: -11 })
    assert.deepEqual(low.error.details, { reason: 'insufficient', balance: 10 })
    await ok('POST', `/accounts/${accountId}/credits/adjust`, { credits: 1_000_000_000 })
    await ok('POST', `/accounts/${accountId}/credits/adjust`, { credits: 1_000_000_000 })
    const high = await refused(409, 'conflict', 'POST', grant, { credits: 1_000_000_000 })
    assert.deepEqual(high.error.details, { reason: 'too large' })
    assert.equal(await entries(), before + 2, 'only what was booked is in the log')

    const seen: unknown[] = []
    let cursor = ''
    do {
      const { items, next } = await ok('GET', `/accounts/${accountId}/ledger?limit=1${cursor}`)
      seen.push(
        ...items.map(({ kind, amount, balanceAfter, note }: Record<string, unknown>) => [
          kind,
          amount,
          balanceAfter,
          note,
        ]),
      )
      cursor = next === null ? '' : `&cursor=${next}`
    } while (cursor !== '')
    assert.deepEqual(seen, [
      ['adjustment', 1_000_000_000, 2_000_000_010, ''],
      ['adjustment', 1_000_000_000, 1_000_000_010, ''],
      ['grant', 10, 10, 'thanks'],
    ])
  })

  test('the same booking by many at once is made once, with one entry', async () => {
    const { accountId } = await open('Heidi')
    const path = `/accounts/${accountId}/credits/grant`
    const before = await entries()
    const answers = await Promise.all(Array.from({ length: 8 }, () => admin('POST', path, { credits: 3, ref: 'once' })))
    assert.deepEqual(
      answers.map(({ status }) => status),
      Array.from({ length: 8 }, () => 200),
    )
    assert.equal(await server.balance(accountId), 3)
    assert.equal(await entries(), before + 1)
  })

  test('the ledger is verified', async () => {
    const report = await ok('GET', '/ledger/verify')
    assert.deepEqual([report.ok, report.faults], [true, []])
    assert.ok(report.accounts > 1 && report.entries > 1)
  })
})

describe('images, usage and routes', () => {
  test('images are listed in parts by what they are, shown with their attempts, retried and erased', async () => {
    const { accountId, apiKey } = await server.createAccount()
    const poster = { post: (body: unknown) => server.post(body, { key: apiKey }) }
    const four = await order(poster, { numImages: 4 })
    const [ready = '', failed = '', waiting = ''] = four
    await finishNow(server.engine, ready, 'image/jpeg')
    await failImage(server.db, { imageId: failed, fence: undefined, code: 'generation_deadline', message: 'late' })
    await query(
      server.databaseUrl,
      `INSERT INTO attempts (image_id, fence, provider, is_paid, route, outcome, finished_at, latency_ms, cost_micro_usd)
       VALUES ($1, 1, 'openai', true, 'openai-1', 'done', now(), 1234, 5000)`,
      [ready],
    )
    const seen: string[] = []
    let cursor = ''
    do {
      const { items, next } = await ok('GET', `/images?accountId=${accountId}&limit=3${cursor}`)
      seen.push(...items.map(({ imageId }: { imageId: string }) => imageId))
      cursor = next === null ? '' : `&cursor=${next}`
    } while (cursor !== '')
    assert.deepEqual([...seen].sort(), [...four].sort())
    const count = async (filter: string) => (await ok('GET', `/images?accountId=${accountId}&${filter}`)).items.length
    assert.deepEqual(
      [await count('status=ready'), await count('model=standard'), await count('since=2999-01-01T00:00:00Z')],
      [1, 0, 0],
    )
    assert.equal(await count('until=2999-01-01T00:00:00Z'), 4)

    const shown = await ok('GET', `/images/${ready}`)
    assert.deepEqual([shown.imageId, shown.status, shown.prompt], [ready, 'ready', 'wombat'])
    assert.deepEqual(
      shown.attempts.map(({ route, latencyMs, costMicroUsd }: Record<string, unknown>) => [
        route,
        latencyMs,
        costMicroUsd,
      ]),
      [['openai-1', 1234, 5000]],
    )
    assert.deepEqual(await ok('POST', `/images/${waiting}/retry`), { imageId: waiting, status: 'queued' })
    const done = await refused(409, 'conflict', 'POST', `/images/${ready}/retry`)
    assert.deepEqual(done.error.details, { reason: 'ready' })
    const balance = await server.balance(accountId)
    assert.deepEqual(await ok('POST', `/images/${waiting}/erase`), {
      imageId: waiting,
      done: 'refunded',
      promptErased: false,
    })
    assert.equal(await server.balance(accountId), balance + 1)
    assert.equal((await server.get(pathOf(waiting))).status, 410)
    assert.deepEqual(await newest(2), [
      { actor: 'ann', action: 'image.erase', subject: waiting, details: { done: 'refunded', promptErased: false } },
      { actor: 'ann', action: 'image.retry', subject: waiting, details: null },
    ])

    const erased = await ok('POST', `/accounts/${accountId}/erase`, { disable: true })
    assert.deepEqual(erased, { accountId, refunded: 1, removed: 1, forgotten: 2, complete: true, disabled: true })
    assert.deepEqual(
      (await newest(2)).map(({ action, details }: Record<string, unknown>) => [action, details]),
      [
        ['account.erased', { refunded: 1, removed: 1, forgotten: 2, complete: true, disabled: true }],
        ['account.erase', { disable: true }],
      ],
    )
  })

  test('usage adds up, as JSON and as CSV that no spreadsheet runs', async () => {
    const { accountId, apiKey } = await open('=1+1', { credits: 10 })
    await orderOne({ post: (body) => server.post(body, { key: apiKey }) })
    const report = await ok('GET', `/usage?by=account&accountId=${accountId}`)
    assert.deepEqual(report.total, {
      ordered: 1,
      ready: 0,
      failed: 0,
      creditsCharged: 1,
      creditsRefunded: 0,
      creditsNet: 1,
      attempts: 0,
      costMicroUsd: 0,
      unknownCosts: 0,
    })
    assert.deepEqual([report.by, report.lines[0].group, report.lines[0].name], ['account', accountId, '=1+1'])
    for (const by of ['key', 'model', 'day', 'route']) {
      assert.deepEqual((await ok('GET', `/usage?by=${by}&accountId=${accountId}`)).total, report.total)
    }
    const csv = await admin('GET', `/usage.csv?by=account&accountId=${accountId}`)
    assert.match(csv.headers.get('content-type') ?? '', /^text\/csv/)
    assert.equal(
      csv.text,
      'account,name,ordered,ready,failed,credits_charged,credits_refunded,credits_net,attempts,cost_usd,unknown_costs\n' +
        `${accountId},'=1+1,1,0,0,1,0,1,0,0.000000,0\n`,
    )
  })

  test('routes are listed with their state, and resumed', async () => {
    const { items } = await ok('GET', '/routes')
    assert.deepEqual(
      items.map(({ route, adapter, state }: Record<string, unknown>) => [route, adapter, state]),
      [
        ['synthetic', 'synthetic', 'unused'],
        // An earlier test has used it by its own hand.
        ['check', null, 'in_use'],
      ],
    )
    const before = await entries()
    assert.deepEqual(await ok('POST', '/routes/synthetic/resume'), { route: 'synthetic', resumed: false })
    assert.equal(await entries(), before)
    await query(
      server.databaseUrl,
      `INSERT INTO route_states (route, state, failures, open_until, reason) VALUES ('synthetic', 'parked', 3, now() + interval '1 hour', 'no money')`,
    )
    const parked = (await ok('GET', '/routes')).items[0]
    assert.deepEqual([parked.state, parked.failures, parked.reason], ['parked', 3, 'no money'])
    assert.deepEqual(await ok('POST', '/routes/synthetic/resume'), { route: 'synthetic', resumed: true })
    assert.equal((await ok('GET', '/routes')).items[0].state, 'in_use')
    assert.deepEqual(await newest(1), [{ actor: 'ann', action: 'route.resume', subject: 'synthetic', details: null }])
  })
})

describe('audit log', () => {
  test('it comes in parts, by who and by what, and can not be changed', async () => {
    const { accountId } = await open('Ivan')
    await ok('PATCH', `/accounts/${accountId}`, { name: 'Ivan II' })
    const first = await ok('GET', `/audit?subject=${accountId}&limit=1`)
    const second = await ok('GET', `/audit?subject=${accountId}&limit=1&cursor=${first.next}`)
    assert.deepEqual(
      [first.items[0].action, second.items[0].action, second.next],
      ['account.change', 'account.create', null],
    )
    const { items } = await ok('GET', '/audit?actor=bob')
    assert.deepEqual(new Set(items.map(({ actor }: { actor: string }) => actor)), new Set(['bob']))
    await assert.rejects(query(server.databaseUrl, 'DELETE FROM audit_entries'), /only grows/)
  })
})
