/** Webhooks, as who gets them sees them: a real receiver on loopback, which the setting allows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { failImage, verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { finishNow, order, orderOne } from './image-tools.ts'
import { spawnTestServer } from './server-fixture.ts'
import { openWebhooks, PUBLIC_URL } from './webhook-fixture.ts'
import { verify } from './webhook-receiver.ts'

const webhooks = await openWebhooks()
const { receiver, other, env, server, json, subscribe, worker } = webhooks
after(() => webhooks[Symbol.asyncDispose]())

describe('a webhook', { timeout: 120_000 }, () => {
  test('is told of a finished image, signed, with the tags of its request', async () => {
    const hook = await subscribe(receiver, '/finished')
    await using _worker = await worker()
    const id = await orderOne({ post: (body) => hook.post(body, { headers: { 'x-wombat-tags': 'team=acme' } }) })
    const [got] = await until(() => hook.received().length > 0 && hook.received(), { what: 'the message' })
    assert.ok(got !== undefined)
    const { message } = verify(hook.secret, got)
    const { timestamp, ...rest } = message
    assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < 60_000)
    assert.deepEqual(rest, {
      type: 'image.finished',
      data: {
        id,
        url: `${PUBLIC_URL}/api/image/${id}.jpg`,
        status: 'finished',
        alt: '',
        model: 'gpt-image-2',
        width: 1024,
        height: 1024,
        contentType: 'image/jpeg',
        tags: { team: 'acme' },
        error: null,
      },
    })
    const sent = await until(async () => (await hook.rows())[0]?.status === 'delivered' && (await hook.rows()), {
      what: 'the delivery is noted',
    })
    assert.deepEqual([sent.length, sent[0].tries, sent[0].last_status], [1, 1, 204])
    const shown = await json('webhook', 'deliveries', hook.webhookId)
    assert.deepEqual([shown.deliveries[0].imageId, shown.deliveries[0].status], [id, 'delivered'])
  })

  test('is told of a failed one, with its error', async () => {
    const hook = await subscribe(receiver, '/failed')
    const id = await orderOne(hook)
    const failure = { imageId: id, fence: undefined, code: 'moderation_refused', message: 'It was refused.' }
    assert.equal(await failImage(server.db, failure), true)
    await using _worker = await worker()
    const [got] = await until(() => hook.received().length > 0 && hook.received(), { what: 'the message' })
    assert.ok(got !== undefined)
    const { message } = verify(hook.secret, got)
    assert.deepEqual(
      [message.type, message.data.status, message.data.contentType, message.data.error],
      ['image.failed', 'failed', null, { code: 'moderation_refused', message: 'It was refused.', refunded: true }],
    )
  })

  test('that is down gets it later, under the same id, and is not asked again after that', async () => {
    const hook = await subscribe(receiver, '/down')
    const usual = receiver.answer
    const refusals = [503, 500]
    receiver.answer = (reply, message) => {
      const refusal = message.path === '/down' ? refusals.shift() : undefined
      if (refusal === undefined) {
        usual(reply, message)
      } else {
        reply.writeHead(refusal).end('x'.repeat(200_000))
      }
    }
    await finishNow(server.engine, await orderOne(hook), 'image/jpeg')
    await using _worker = await worker()
    // The first pause is at most five seconds, the second at most five minutes.
    await until(async () => (await hook.rows())[0]?.last_status === 500, { what: 'the second try has failed' })
    const [waiting] = await hook.rows()
    assert.deepEqual([waiting.status, waiting.tries, waiting.last_error], ['pending', 2, 'answered 500'])
    await hook.dueNow()
    await until(async () => (await hook.rows())[0]?.status === 'delivered', { what: 'it is delivered' })
    receiver.answer = usual
    const ids = hook.received().map((message) => verify(hook.secret, message).id)
    assert.equal(ids.length, 3)
    assert.equal(new Set(ids).size, 1)
  })

  test('that hangs does not hold up the others', async () => {
    const slow = await subscribe(other, '/slow')
    const quick = await subscribe(receiver, '/quick')
    other.answer = () => {}
    for (const id of await order(slow, { numImages: 4 })) {
      await finishNow(server.engine, id, 'image/jpeg')
    }
    await using _worker = await worker({ SHUTDOWN_GRACE_SECONDS: '0' })
    await until(() => slow.received().length === 4, { what: 'it has all of them' })
    await orderOne(quick)
    await until(() => quick.received().length === 1, { what: 'the other one has its own', timeoutMs: 5_000 })
    assert.ok((await slow.rows()).every(({ status }) => status === 'pending'))
  })

  test('after a worker that was told to stop while it sent, the next one sends again at once', async () => {
    const hook = await subscribe(other, '/stopped')
    other.answer = () => {}
    await finishNow(server.engine, await orderOne(hook), 'image/jpeg')
    {
      await using _stopping = await worker({ SHUTDOWN_GRACE_SECONDS: '0' })
      await until(() => hook.received().length === 1, { what: 'it was sent' })
    }
    const [row] = await hook.rows()
    assert.deepEqual([row.status, row.is_later], ['pending', false])
    other.answer = (reply) => reply.writeHead(200).end('ok')
    await using _worker = await worker()
    await until(async () => (await hook.rows())[0]?.status === 'delivered', { what: 'it is delivered' })
    assert.equal(new Set(hook.received().map((message) => verify(hook.secret, message).id)).size, 1)
  })

  test('gets each of many messages once from two workers', async () => {
    const hook = await subscribe(receiver, '/many')
    const ids: string[] = []
    for (let n = 0; n < 15; n += 1) {
      ids.push(...(await order(hook, { numImages: 4 })))
    }
    for (const id of ids) {
      await finishNow(server.engine, id, 'image/jpeg')
    }
    await using _first = await worker()
    await using _second = await worker()
    await until(async () => (await hook.rows()).every(({ status }) => status === 'delivered'), {
      what: 'all delivered',
    })
    const told = hook.received().map((message) => verify(hook.secret, message).message.data.id)
    assert.deepEqual(told.sort(), ids.sort())
    assert.deepEqual(new Set((await hook.rows()).map(({ tries }) => tries)), new Set([1]))
  })

  test('is written to the transaction that ends the image: a worker killed while it sends loses nothing', async () => {
    const hook = await subscribe(other, '/killed')
    other.answer = () => {}
    {
      await using victim = await spawnTestServer({ role: 'worker', beside: server, env })
      await orderOne(hook)
      await until(() => hook.received().length === 1, { what: 'it was sent' })
      await victim.kill()
    }
    const [row] = await hook.rows()
    // Until the time of the dead worker's claim is over nobody sends it; that time is now.
    assert.deepEqual([row.status, row.tries, row.is_later], ['pending', 1, true])
    other.answer = (reply) => reply.writeHead(200).end()
    await using _worker = await worker()
    await hook.dueNow()
    await until(async () => (await hook.rows())[0]?.status === 'delivered', { what: 'it is delivered' })
    const ids = hook.received().map((message) => verify(hook.secret, message).id)
    assert.deepEqual([ids.length, new Set(ids).size], [2, 1])
  })

  test('can be verified by the code in docs/webhooks.md', async () => {
    const docs = readFileSync(new URL('../docs/webhooks.md', import.meta.url), 'utf8')
    const code = /```js\n([\s\S]+?)```/.exec(docs)?.[1] ?? ''
    const { verifyWebhook } = await import(`data:text/javascript,${encodeURIComponent(code)}`)
    const hook = await subscribe(receiver, '/documented')
    assert.equal((await json('webhook', 'test', hook.webhookId)).httpStatus, 204)
    const [got] = hook.received()
    assert.ok(got !== undefined)
    const { headers } = got
    const body = Buffer.from(got.body)
    assert.equal(verifyWebhook(hook.secret, headers, body).type, 'webhook.test')
    const two = { ...headers, 'webhook-signature': `v1,AAAA v2,x ${headers['webhook-signature']}` }
    assert.equal(verifyWebhook(hook.secret, two, body).type, 'webhook.test')
    const unsigned = /not signed with this secret/
    assert.throws(() => verifyWebhook(hook.secret, headers, Buffer.from(`${got.body} `)), unsigned)
    assert.throws(() => verifyWebhook(`whsec_${Buffer.alloc(32).toString('base64')}`, headers, body), unsigned)
    assert.throws(() => verifyWebhook(hook.secret, { ...headers, 'webhook-id': 'msg_1' }, body), unsigned)
    assert.throws(() => verifyWebhook(hook.secret, { ...headers, 'webhook-signature': 'v1,AAAA' }, body), unsigned)
    const old = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 301) }
    assert.throws(() => verifyWebhook(hook.secret, old, body), /too old/)
    assert.throws(() => verifyWebhook(hook.secret, {}, body), /too old/)
  })

  test('costs nothing and gives nothing back: the ledger is sound', async () => {
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})
