import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { removeExpired } from '@wombat/engine'
import { verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { finishNow, idOf, order, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const never = new AbortController().signal

describe('images past their retention', { timeout: 60_000 }, () => {
  test('are removed by their plan, answer 410 and keep what was paid for them', async () => {
    await using server = await startTestServer({ role: 'api', env: { DELETE_IMAGES_DAYS: 'basic=30' } })
    const basic = await server.createAccount({ plan: 'basic' })
    const posted = await server.post({ prompt: 'wombat', numImages: 4 }, { key: basic.apiKey })
    const ids = posted.images.map(({ url }) => idOf(url))
    const kept = await order(server, { numImages: 2 })
    for (const id of [...ids, ...kept]) {
      await finishNow(server.engine, id, 'image/jpeg')
      assert.equal((await server.get(pathOf(id))).status, 200)
    }
    const keys = await query(server.databaseUrl, 'SELECT object_key FROM images WHERE id = ANY ($1)', [ids])
    assert.equal(await removeExpired(server.engine, never), 0)
    await query(server.databaseUrl, `UPDATE images SET finished_at = finished_at - interval '30 days'`)
    assert.equal(await removeExpired(server.engine, never), 4)
    assert.equal(await removeExpired(server.engine, never), 0)

    for (const id of ids) {
      // The notification drops it from the memory of every process.
      await until(async () => (await server.get(pathOf(id))).status === 410, { what: 'it is gone' })
      const answer = await server.get(pathOf(id))
      assert.equal(answer.error.code, 'image_expired')
      assert.deepEqual(answer.error.details, { refunded: false })
      const head = await server.get(pathOf(id), { method: 'HEAD' })
      assert.equal(head.status, 410)
      const status = (await server.get(`/api/image/${id}.json`)).json
      assert.deepEqual(Object(status).error, {
        code: 'image_expired',
        message: 'The image is past its retention.',
        refunded: false,
      })
    }
    for (const id of kept) {
      assert.equal((await server.get(pathOf(id))).status, 200)
    }
    assert.equal(await server.balance(basic.accountId), 1000 - 4)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])

    // The bytes follow, when no reader can be under way any more.
    const held = () => Promise.all(keys.map(({ object_key }) => server.holds(object_key)))
    assert.ok((await held()).every((isThere) => isThere))
    await query(server.databaseUrl, 'UPDATE garbage_objects SET delete_after = now()')
    await using _worker = await startTestServer({ role: 'worker', beside: server })
    await until(async () => (await held()).every((isThere) => !isThere), { what: 'the objects are gone' })
  })

  test('by default there are none', async () => {
    await using server = await startTestServer({ role: 'api' })
    const [id = ''] = await order(server)
    await finishNow(server.engine, id, 'image/jpeg')
    await query(server.databaseUrl, `UPDATE images SET finished_at = finished_at - interval '20 years'`)
    assert.equal(await removeExpired(server.engine, never), 0)
    assert.equal((await server.get(pathOf(id))).status, 200)
  })
})
