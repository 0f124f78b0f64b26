/** /admin/v1: accounts, keys and plans, and what the audit log says afterwards. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { until } from '@wombat/testing'
import { ANN, BOB, startAdminServer } from './admin-fixture.ts'
import { query } from './image-tools.ts'

const { server, admin, ok, refused, newest, entries, open } = await startAdminServer()
after(() => server[Symbol.asyncDispose]())

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
    // The key is remembered as disabled until the notification comes.
    const post = async () => (await server.post({ prompt: 'cat' }, { key: made.apiKey })).status === 200
    await until(post, { what: 'the key is taken again' })

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
    assert.deepEqual(made, { ...plan, rateLimitPerMinute: null, deleteAfterDays: null, accounts: 0 })
    await refused(409, 'conflict', 'POST', '/plans', plan)
    const changed = await ok('PATCH', '/plans/agency', { models: [], concurrency: null, deleteAfterDays: 30 })
    assert.deepEqual([changed.models, changed.concurrency, changed.deleteAfterDays], [[], null, 30])
    assert.deepEqual(await ok('GET', '/plans/agency'), changed)
    const { items } = await ok('GET', '/plans')
    assert.deepEqual(
      items.map(({ name }: { name: string }) => name),
      ['basic', 'professional', 'agency'],
    )

    const { accountId, plan: opened } = await open('Frank', { plan: 'agency' })
    assert.equal(opened, 'agency')
    const inUse = await refused(409, 'conflict', 'DELETE', '/plans/agency')
    assert.deepEqual(inUse.error.details, { reason: 'in use', accounts: 1 })
    assert.equal((await ok('PATCH', `/accounts/${accountId}`, { plan: 'basic' })).plan, 'basic')
    assert.deepEqual(await ok('DELETE', '/plans/agency'), { plan: 'agency', deleted: true })
    await refused(409, 'conflict', 'DELETE', '/plans/professional')
    const actions = (await newest(5)).map(({ action }: { action: string }) => action)
    assert.deepEqual(actions, ['plan.delete', 'account.change', 'account.create', 'plan.change', 'plan.create'])
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
