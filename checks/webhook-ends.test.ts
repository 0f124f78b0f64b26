/** What becomes of messages that nobody takes or that may not be sent, and of webhooks on the command line. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { until } from '@wombat/testing'
import { finishNow, order, orderOne, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'
import { openWebhooks, PUBLIC_URL } from './webhook-fixture.ts'
import { verify } from './webhook-receiver.ts'

const hooks = await openWebhooks()
const { receiver, env, server, json, wombat, subscribe, worker } = hooks
after(() => hooks[Symbol.asyncDispose]())

const READY = `SELECT FROM images WHERE id = $1 AND status = 'ready'`

describe('a webhook', { timeout: 120_000 }, () => {
  test('is given up after three days, and not before', async () => {
    const hook = await subscribe(receiver, '/never')
    const usual = receiver.answer
    receiver.answer = (reply, message) =>
      message.path === '/never' ? reply.writeHead(302, { location: '/finished' }).end() : usual(reply, message)
    const [young = '', old = ''] = await order(hook, { numImages: 2 })
    await finishNow(server.engine, young, 'image/jpeg')
    await finishNow(server.engine, old, 'image/jpeg')
    const age = (id: string, seconds: number) =>
      query(
        server.databaseUrl,
        `UPDATE webhook_deliveries SET tries = 12, created_at = now() - make_interval(secs => $2) WHERE image_id = $1`,
        [id, seconds],
      )
    await age(young, 3 * 86_400 - 600)
    await age(old, 3 * 86_400 + 1)
    await using _worker = await worker()
    const rows = await until(
      async () => (await hook.rows()).every((row) => row.tries > 12 && row.last_error) && hook.rows(),
      {
        what: 'both were tried once more',
      },
    )
    const stateOf = (id: string) => rows.find((row) => row.image_id === id)
    assert.deepEqual([stateOf(old).status, stateOf(old).last_status], ['failed', 302])
    assert.deepEqual([stateOf(young).status, stateOf(young).is_later], ['pending', true])
    // Its last try comes at the end of the three days, however long the next pause would be.
    assert.ok(stateOf(young).due_at - Date.now() <= 600_000)
    receiver.answer = usual
    assert.equal(receiver.received.filter(({ path }) => path === '/never').length, hook.received().length)
  })

  test('that answers 410 is disabled, and what waits for it is given up', async () => {
    const hook = await subscribe(receiver, '/gone')
    const usual = receiver.answer
    receiver.answer = (reply, message) =>
      message.path === '/gone' ? reply.writeHead(410).end() : usual(reply, message)
    const ids = await order(hook, { numImages: 4 })
    for (const id of ids) {
      await finishNow(server.engine, id, 'image/jpeg')
    }
    // Only one of them is due.
    const rows = await hook.rows()
    await query(
      server.databaseUrl,
      `UPDATE webhook_deliveries SET due_at = now() + interval '1 h' WHERE id = ANY ($1)`,
      [rows.slice(1).map(({ id }) => id)],
    )
    await using _worker = await worker()
    await until(async () => (await hook.rows()).every(({ status }) => status === 'failed'), { what: 'all given up' })
    receiver.answer = usual
    assert.equal(hook.received().length, 1)
    const { webhooks } = await json('webhook', 'list', '--account', hook.accountId)
    assert.deepEqual(
      webhooks.map(({ state }: { state: string }) => state),
      ['disabled'],
    )
    // It is told nothing more.
    const later = await orderOne(hook)
    await until(async () => (await query(server.databaseUrl, READY, [later])).length === 1, { what: 'it is ready' })
    assert.equal((await hook.rows()).length, 4)
  })

  test('at a private address is refused, at its making and when the setting is gone', async () => {
    const hook = await subscribe(receiver, '/private')
    const strict = { PUBLIC_URL }
    for (const url of [
      receiver.url,
      'http://10.0.0.1/',
      'http://[::1]/',
      'https://localhost/',
      'http://example.com:22/',
    ]) {
      const refused = await wombat(['webhook', 'create', hook.accountId, '--url', url], strict)
      assert.equal(refused.code, 2)
      assert.match(refused.stderr, /^wombat: nothing may be sent to this URL: .*WEBHOOK_ALLOW_HOSTS/)
    }
    await finishNow(server.engine, await orderOne(hook), 'image/jpeg')
    await using _worker = await startTestServer({ role: 'worker', beside: server, env: strict })
    await until(async () => typeof (await hook.rows())[0]?.last_error === 'string', { what: 'it was refused' })
    const [row] = await hook.rows()
    assert.deepEqual([row.status, row.last_status], ['pending', null])
    assert.match(row.last_error, /^port \d+ is closed$/)
    assert.equal(hook.received().length, 0)
  })

  test('waits for a process that knows where the images are', async () => {
    const hook = await subscribe(receiver, '/nowhere')
    await finishNow(server.engine, await orderOne(hook), 'image/jpeg')
    const { WEBHOOK_ALLOW_HOSTS } = env
    await using lost = await spawnTestServer({
      role: 'worker',
      beside: server,
      env: { WEBHOOK_ALLOW_HOSTS, LOG_LEVEL: 'warn' },
    })
    await until(() => lost.output.includes('needs PUBLIC_URL'), { what: 'it warns' })
    assert.equal((await hook.rows())[0]?.tries, 0)
    await using _worker = await worker()
    await until(() => hook.received().length === 1, { what: 'it is sent' })
  })

  test('is pruned after thirty days, and gives up what is left when it was deleted', async () => {
    const hook = await subscribe(receiver, '/old')
    const [old = '', orphan = ''] = await order(hook, { numImages: 2 })
    await finishNow(server.engine, old, 'image/jpeg')
    await query(server.databaseUrl, `UPDATE webhook_deliveries SET created_at = now() - interval '31 days'`)
    await finishNow(server.engine, orphan, 'image/jpeg')
    assert.deepEqual(await json('webhook', 'delete', hook.webhookId), { webhookId: hook.webhookId, deleted: true })
    await using _worker = await worker()
    await until(
      async () => {
        const rows = await hook.rows()
        return rows.length === 1 && rows[0]?.image_id === orphan && rows[0]?.status === 'failed'
      },
      { what: 'one is gone and the other one given up' },
    )
    assert.equal(hook.received().length, 0)
  })
})

describe('wombat webhook', { timeout: 60_000 }, () => {
  test('shows the secret once, and never in the list', async () => {
    const account = await server.createAccount()
    const made = await json('webhook', 'create', account.accountId, '--url', receiver.url)
    assert.match(made.secret, /^whsec_/)
    const { webhooks } = await json('webhook', 'list', '--account', account.accountId)
    assert.deepEqual(
      webhooks.map(({ webhookId, url, state }: Record<string, unknown>) => ({ webhookId, url, state })),
      [{ webhookId: made.webhookId, url: receiver.url, state: 'active' }],
    )
    assert.doesNotMatch(JSON.stringify(webhooks), /whsec_/)
    assert.doesNotMatch((await wombat(['webhook', 'list'])).stdout, /whsec_/)
  })

  test('test: sends a signed message and says what became of it', async () => {
    const hook = await subscribe(receiver, '/test')
    const { httpStatus } = await json('webhook', 'test', hook.webhookId)
    assert.equal(httpStatus, 204)
    const [got] = hook.received()
    assert.ok(got !== undefined)
    assert.equal(verify(hook.secret, got).message.type, 'webhook.test')
    const usual = receiver.answer
    receiver.answer = (reply) => reply.writeHead(500).end()
    const failed = await wombat(['webhook', 'test', hook.webhookId])
    receiver.answer = usual
    assert.equal(failed.code, 1)
    assert.match(failed.stderr, /did not take the message: it answered 500/)
    assert.equal((await hook.rows()).length, 0)
  })

  test('exit codes: 2 for what is no URL, 5 for what is not there, 6 for more than ten', async () => {
    const nobody = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'
    const account = await server.createAccount()
    assert.equal((await wombat(['webhook', 'create', account.accountId, '--url', 'ftp://example.com/'])).code, 2)
    assert.equal((await wombat(['webhook', 'create', nobody, '--url', receiver.url])).code, 5)
    for (const command of ['delete', 'test', 'deliveries']) {
      assert.equal((await wombat(['webhook', command, nobody])).code, 5, command)
    }
    await query(
      server.databaseUrl,
      `INSERT INTO webhooks (id, account_id, url, secret) SELECT gen_random_uuid(), $1, 'https://a.example/', '' FROM generate_series(1, 10)`,
      [account.accountId],
    )
    assert.equal((await wombat(['webhook', 'create', account.accountId, '--url', receiver.url])).code, 6)
  })
})
