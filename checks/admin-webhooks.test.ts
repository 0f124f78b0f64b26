/** Webhooks through the admin API, up to a real receiver on loopback and the signatures that it gets. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { until } from '@wombat/testing'
import { NOBODY, startAdminServer } from './admin-fixture.ts'
import { finishNow, order, orderOne, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'
import { startReceiver, verify } from './webhook-receiver.ts'

const receiver = await startReceiver()
const env = { PUBLIC_URL: 'https://images.example.com', WEBHOOK_ALLOW_HOSTS: receiver.host }
const { server, ok, refused, newest, entries, open } = await startAdminServer(env)
after(async () => {
  await server[Symbol.asyncDispose]()
  await receiver[Symbol.asyncDispose]()
})

/** An account with a webhook of its own, so that no test sees another's messages. */
async function subscribe(path: string) {
  const { accountId, apiKey } = await open('Ann', { credits: 100 })
  const url = `http://${receiver.host}${path}`
  const made = await ok('POST', `/accounts/${accountId}/webhooks`, { url }, 201)
  return {
    accountId: String(accountId),
    webhookId: String(made.webhookId),
    secret: String(made.secret),
    url,
    at: `/webhooks/${made.webhookId}`,
    post: (body: unknown) => server.post(body, { key: apiKey }),
    received: () => receiver.received.filter((message) => message.path === path),
  }
}

/** Sends what waits, and makes no images. */
function sender() {
  return startTestServer({ role: 'scheduler', beside: server, env })
}

/** Of the test message that the API has sent last. */
async function tried(hook: Awaited<ReturnType<typeof subscribe>>) {
  assert.equal((await ok('POST', `${hook.at}/test`)).httpStatus, 204)
  const message = hook.received().at(-1)
  assert.ok(message !== undefined)
  return message
}

describe('a webhook of the admin API', { timeout: 120_000 }, () => {
  test('is told of an image, signed with the secret that was shown at its making and nowhere else', async () => {
    const hook = await subscribe('/made')
    const made = { accountId: hook.accountId, url: hook.url }
    assert.deepEqual(await newest(1), [
      { actor: 'ann', action: 'webhook.create', subject: hook.webhookId, details: made },
    ])
    const { createdAt, ...shown } = await ok('GET', hook.at)
    assert.ok(Math.abs(Date.parse(createdAt) - Date.now()) < 60_000)
    assert.deepEqual(shown, { webhookId: hook.webhookId, ...made, disabledAt: null, overlapUntil: null })
    assert.deepEqual(await ok('GET', `/webhooks?accountId=${hook.accountId}`), {
      items: [{ createdAt, ...shown }],
      next: null,
    })
    const imageId = await orderOne(hook)
    await finishNow(server.engine, imageId, 'image/jpeg')
    const { items } = await ok('GET', `${hook.at}/deliveries?status=pending`)
    await using _sender = await sender()
    const [got] = await until(() => hook.received().length > 0 && hook.received(), { what: 'the message' })
    assert.ok(got !== undefined)
    const { id, message, signatures } = verify(hook.secret, got)
    assert.deepEqual([message.type, message.data.id, signatures], ['image.finished', imageId, 1])
    assert.equal(id, `msg_${items[0].deliveryId.replaceAll('-', '')}`)
    const [sent] = await until(
      async () => {
        const { items: lines } = await ok('GET', `${hook.at}/deliveries?status=delivered`)
        return lines.length === 1 && lines
      },
      { what: 'it is noted' },
    )
    assert.deepEqual([sent.imageId, sent.tries, sent.lastStatus, sent.dueAt], [imageId, 1, 204, null])
  })

  test('whose secret is changed signs with both for a while, then with the new one', async () => {
    const hook = await subscribe('/rotated')
    const second = await ok('POST', `${hook.at}/rotate`, { overlapHours: 2 })
    assert.ok(Math.abs(Date.parse(second.overlapUntil) - Date.now() - 7_200_000) < 60_000)
    assert.equal((await ok('GET', hook.at)).overlapUntil, second.overlapUntil)
    assert.deepEqual(await newest(1), [
      { actor: 'ann', action: 'webhook.rotate', subject: hook.webhookId, details: { overlapSeconds: 7_200 } },
    ])
    const third = await ok('POST', `${hook.at}/rotate`)
    await ok('POST', `${hook.at}/rotate`)
    // A receiver that knows only the first one is not cut off because two later ones went astray.
    const known = [hook.secret, second.secret, third.secret]
    for (const secret of known) {
      assert.equal(verify(secret, await tried(hook)).signatures, 4)
    }
    const full = await refused(409, 'conflict', 'POST', `${hook.at}/rotate`)
    assert.deepEqual(full.error.details, { reason: 'too many', most: 3 })

    // What a worker sends is signed as well as the test is; the time of the first one is over by then.
    await finishNow(server.engine, await orderOne(hook), 'image/jpeg')
    await query(server.databaseUrl, 'SELECT advance_dev_clock(3 * 3600000)')
    const before = hook.received().length
    await using _sender = await sender()
    const got = await until(() => hook.received()[before], { what: 'the message' })
    assert.throws(() => verify(hook.secret, got))
    assert.equal(verify(second.secret, got).signatures, 3)
    await until(
      async () =>
        (await query(server.databaseUrl, 'SELECT FROM webhook_secrets WHERE signs_until <= now()')).length === 0,
      { what: 'secrets that sign nothing are forgotten' },
    )

    const last = await ok('POST', `${hook.at}/rotate`, { overlapHours: 0 })
    assert.equal(last.overlapUntil, null)
    const message = await tried(hook)
    assert.equal(verify(last.secret, message).signatures, 1)
    assert.throws(() => verify(third.secret, message))
    const kept = await query(server.databaseUrl, 'SELECT details FROM audit_entries WHERE subject = $1', [
      hook.webhookId,
    ])
    assert.equal(kept.length, 5)
    for (const secret of [...known, last.secret]) {
      assert.ok(!JSON.stringify(kept).includes(secret.slice('whsec_'.length)))
    }
  })

  test('that is disabled is told nothing; what was given up can be sent again under its id', async () => {
    const hook = await subscribe('/off')
    const [first = '', second = ''] = await order(hook, { numImages: 2 })
    await finishNow(server.engine, first, 'image/jpeg')
    const { disabledAt } = await ok('POST', `${hook.at}/disable`)
    assert.ok(Math.abs(Date.parse(disabledAt) - Date.now()) < 60_000)
    await finishNow(server.engine, second, 'image/jpeg')
    const { items } = await ok('GET', `${hook.at}/deliveries`)
    assert.equal(items.length, 1)
    const [{ deliveryId, imageId, status }] = items
    assert.deepEqual([imageId, status], [first, 'failed'])
    const retry = `/deliveries/${deliveryId}/retry`
    const late = await refused(409, 'conflict', 'POST', retry)
    assert.deepEqual(late.error.details, { reason: 'disabled' })
    const count = await entries()
    assert.equal((await ok('POST', `${hook.at}/disable`)).disabledAt, disabledAt)
    assert.equal(await entries(), count, 'what changes nothing leaves no entry')
    assert.equal((await ok('POST', `${hook.at}/enable`)).disabledAt, null)
    const [waiting, again] = [await ok('POST', retry), await ok('POST', retry)]
    assert.deepEqual([waiting.status, again.status, again.dueAt], ['pending', 'pending', waiting.dueAt])
    assert.deepEqual(
      (await newest(3)).map(({ action, subject }: Record<string, unknown>) => [action, subject]),
      [
        ['delivery.retry', deliveryId],
        ['webhook.enable', hook.webhookId],
        ['webhook.disable', hook.webhookId],
      ],
    )
    await using _sender = await sender()
    const delivered = async () => (await ok('GET', `${hook.at}/deliveries?status=delivered`)).items.length === 1
    await until(delivered, { what: 'it is delivered' })
    // One that was taken can be sent once more.
    await ok('POST', retry)
    await until(() => hook.received().length === 2, { what: 'it comes again' })
    await until(delivered, { what: 'that is noted' })
    const told = hook.received().map((message) => verify(hook.secret, message))
    assert.deepEqual([new Set(told.map(({ id }) => id)).size, told[1]?.message.data.id], [1, first])
  })

  test('can be sent elsewhere, tried, and deleted', async () => {
    const hook = await subscribe('/here')
    const url = `http://${receiver.host}/there`
    assert.equal((await ok('PATCH', hook.at, { url })).url, url)
    const count = await entries()
    assert.equal((await ok('PATCH', hook.at, {})).url, url)
    assert.equal(await entries(), count)
    const usual = receiver.answer
    receiver.answer = (reply) => reply.writeHead(500).end()
    const { tookMs, ...answer } = await ok('POST', `${hook.at}/test`)
    receiver.answer = usual
    assert.ok(tookMs >= 0)
    assert.deepEqual(answer, { webhookId: hook.webhookId, url, httpStatus: 500, fault: null })
    assert.equal(receiver.received.at(-1)?.path, '/there')
    await query(server.databaseUrl, 'UPDATE webhooks SET url = $2 WHERE id = $1', [hook.webhookId, 'http://10.0.0.1/'])
    const { httpStatus, fault } = await ok('POST', `${hook.at}/test`)
    assert.equal(httpStatus, null)
    assert.match(fault, /^10\.0\.0\.1 is not public$/)
    await ok('POST', `${hook.at}/rotate`)
    assert.deepEqual(await ok('DELETE', hook.at), { webhookId: hook.webhookId, deleted: true })
    const secrets = 'SELECT FROM webhook_secrets WHERE webhook_id = $1'
    assert.equal((await query(server.databaseUrl, secrets, [hook.webhookId])).length, 0)
    assert.deepEqual(await newest(1), [
      { actor: 'ann', action: 'webhook.delete', subject: hook.webhookId, details: null },
    ])
    await refused(404, 'not_found', 'GET', hook.at)
  })

  test('lists come in parts, the newest first', async () => {
    const hook = await subscribe('/parts')
    for (const path of ['/b', '/c']) {
      await ok('POST', `/accounts/${hook.accountId}/webhooks`, { url: `http://${receiver.host}${path}` }, 201)
    }
    for (const id of await order(hook, { numImages: 3 })) {
      await finishNow(server.engine, id, 'image/jpeg')
    }
    for (const [path, id] of [
      [`/webhooks?accountId=${hook.accountId}&`, 'webhookId'],
      [`${hook.at}/deliveries?`, 'deliveryId'],
    ] as const) {
      const all = await ok('GET', `${path}limit=3`)
      assert.equal(all.next, null)
      const times = all.items.map(({ createdAt }: { createdAt: string }) => createdAt)
      assert.deepEqual(times, times.toSorted().reverse())
      const parts = await ok('GET', `${path}limit=2`)
      const rest = await ok('GET', `${path}limit=2&cursor=${parts.next}`)
      const idsOf = (items: Record<string, string>[]) => items.map((item) => item[id])
      assert.deepEqual(idsOf([...parts.items, ...rest.items]), idsOf(all.items))
      assert.equal(new Set(idsOf(all.items)).size, 3)
    }
  })
})

test('what can not be done is refused with its reason', { timeout: 60_000 }, async () => {
  const hook = await subscribe('/refused')
  const webhooks = `/accounts/${hook.accountId}/webhooks`
  for (const url of ['http://10.0.0.1/', 'http://[::1]/', 'https://localhost/', 'http://shop.example.com:22/']) {
    for (const [method, path] of [
      ['POST', webhooks],
      ['PATCH', hook.at],
    ] as const) {
      const { error } = await refused(400, 'invalid_request', method, path, { url })
      assert.equal(error.details?.field, 'url')
      assert.ok(error.message.includes(String(error.details?.why)))
    }
  }
  for (const body of [{}, { url: 'ftp://shop.example.com/' }, { url: 'shop' }, { url: hook.url, secret: 'x' }]) {
    await refused(400, 'invalid_request', 'POST', webhooks, body)
  }
  for (const overlapHours of [-1, 721, '1']) {
    await refused(400, 'invalid_request', 'POST', `${hook.at}/rotate`, { overlapHours })
  }
  await refused(400, 'invalid_request', 'GET', `${hook.at}/deliveries?status=lost`)
  await refused(400, 'invalid_request', 'GET', '/webhooks?cursor=x')
  const at = `/webhooks/${NOBODY}`
  for (const [method, path, body] of [
    ['POST', `/accounts/${NOBODY}/webhooks`, { url: hook.url }],
    ['GET', at],
    ['PATCH', at, { url: hook.url }],
    ['DELETE', at],
    ['POST', `${at}/disable`],
    ['POST', `${at}/enable`],
    ['POST', `${at}/rotate`],
    ['POST', `${at}/test`],
    ['GET', `${at}/deliveries`],
    ['POST', `/deliveries/${NOBODY}/retry`],
    ['GET', '/webhooks/nobody'],
  ] as const) {
    await refused(404, 'not_found', method, path, body)
  }
  await query(
    server.databaseUrl,
    `INSERT INTO webhooks (id, account_id, url, secret) SELECT gen_random_uuid(), $1, 'https://a.example/', '' FROM generate_series(1, 9)`,
    [hook.accountId],
  )
  const { error } = await refused(409, 'conflict', 'POST', webhooks, { url: hook.url })
  assert.deepEqual(error.details, { reason: 'too many', most: 10 })
})
