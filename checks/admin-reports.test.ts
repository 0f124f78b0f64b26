/** /admin/v1: credits, the ledger, images, usage and routes. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { failImage } from '@wombat/ledger'
import { startAdminServer } from './admin-fixture.ts'
import { finishNow, order, orderOne, pathOf, query } from './image-tools.ts'

const { server, admin, ok, refused, newest, entries, open } = await startAdminServer()
after(() => server[Symbol.asyncDispose]())

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
