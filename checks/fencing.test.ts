import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { produceNext } from '@wombat/engine'
import { claimImage, closeAttempt, makeReady, openAttempt, requeueImage } from '@wombat/images'
import { failImage, verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { CHECK_ROUTES, decode, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
const { db, databaseUrl } = server
after(() => server[Symbol.asyncDispose]())

const STORED = { provider: 'check', contentType: 'image/jpeg', sizeBytes: 1, sha256: 'ab' }

async function claim(imageId: string, owner = 'check') {
  return await claimImage(db, { model: 'gpt-image-2', imageId, owner, leaseSeconds: 30, routes: CHECK_ROUTES })
}

async function imageRow(id: string) {
  const [row] = await query(databaseUrl, 'SELECT status, fence, object_key, failure_code FROM images WHERE id = $1', [
    id,
  ])
  return { ...row }
}

async function refunds(id: string): Promise<number> {
  return (await query(databaseUrl, `SELECT id FROM ledger_entries WHERE kind = 'refund' AND ref = $1`, [id])).length
}

describe('a worker that was paused past its lease', () => {
  test('loses: what it stores late is removed, and the picture of the other one stays', async () => {
    await using paused = await startTestServer({ role: 'api', env: { LEASE_SECONDS: '0.5' } })
    const id = await orderOne(paused)
    // Stopped between the drawing and the storing, and no lease is renewed meanwhile.
    const { store } = paused.engine
    const put = store.put.bind(store)
    const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    store.put = async (...stored) => {
      reached.resolve()
      await release.promise
      await put(...stored)
    }
    const late = produceNext(paused.engine, { model: 'gpt-image-2', imageId: id }, new AbortController().signal)
    await reached.promise
    paused.engine.leases.close()

    const row = 'SELECT status, fence, object_key FROM images'
    await using worker = await startTestServer({ role: 'worker', beside: paused })
    const isReady = async () => (await query(paused.databaseUrl, row))[0].status === 'ready'
    await until(isReady, { what: 'the other worker has made it' })
    const { bytes } = await paused.get(pathOf(id))
    release.resolve()
    await late

    const [image] = await query(paused.databaseUrl, row)
    assert.equal(image.fence, 2)
    assert.match(image.object_key, /\/2\.jpg$/)
    const garbage = await query(
      paused.databaseUrl,
      'SELECT object_key, delete_after > now() AS is_later FROM garbage_objects',
    )
    assert.deepEqual(
      garbage.map((one) => ({ ...one })),
      [{ object_key: image.object_key.replace('/2.jpg', '/1.jpg'), is_later: true }],
    )
    assert.ok(await paused.holds(garbage[0].object_key))

    await worker.stop()
    await query(paused.databaseUrl, 'UPDATE garbage_objects SET delete_after = now()')
    await using _next = await startTestServer({ role: 'worker', beside: paused })
    const isForgotten = async () => (await query(paused.databaseUrl, 'SELECT FROM garbage_objects')).length === 0
    await until(isForgotten, { what: 'the late object is removed' })
    assert.equal(await paused.holds(garbage[0].object_key), false)
    const answer = await paused.get(pathOf(id))
    assert.ok(answer.bytes.equals(bytes))
    await decode(answer.bytes)
  })

  test('can do nothing with its old fence', async () => {
    const id = await orderOne(server)
    const first = await claim(id)
    await query(
      databaseUrl,
      `UPDATE images SET status = 'queued', lease_owner = NULL, lease_until = NULL WHERE id = $1`,
      [id],
    )
    const second = await claim(id)
    assert.deepEqual([first?.fence, second?.fence], [1, 2])
    const old = { imageId: id, fence: 1 }
    assert.equal(await openAttempt(db, { ...old, route: 'check', provider: 'check', isPaid: true }), undefined)
    assert.equal(await makeReady(db, { ...old, ...STORED, objectKey: `images/aa/${id}/1.jpg` }), false)
    assert.equal(await failImage(db, { ...old, code: 'generation_failed', message: '' }), false)
    assert.equal(await requeueImage(db, { ...old, delayMs: 0 }), false)
    assert.equal(
      await failImage(db, { imageId: id, fence: undefined, code: 'generation_deadline', message: '' }),
      false,
    )
    assert.deepEqual(await imageRow(id), { status: 'generating', fence: 2, object_key: null, failure_code: null })
    assert.equal(await requeueImage(db, { imageId: id, fence: 2, delayMs: 60_000 }), true)
    assert.equal(await claim(id), undefined, 'it is not due')
  })
})

describe('when several want to end one image', () => {
  test('twenty claims at once: one wins', async () => {
    for (const id of await order(server, { numImages: 4 })) {
      const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => claim(id, `worker ${n}`)))
      assert.deepEqual(
        claims.filter((one) => one !== undefined).map(({ fence }) => fence),
        [1],
      )
    }
  })

  test('ready, failed twice and handed back at once: exactly one wins, and the credits come back only with a failure', async () => {
    const ids = (await Promise.all(Array.from({ length: 15 }, () => order(server, { numImages: 4 })))).flat()
    const outcomes: Record<string, number> = {}
    await Promise.all(
      ids.map(async (id, index) => {
        await claim(id)
        const held = { imageId: id, fence: 1 }
        const endings = [
          () => makeReady(db, { ...held, ...STORED, objectKey: `images/aa/${id}/1.jpg` }),
          () => failImage(db, { ...held, code: 'generation_failed', message: '' }),
          () => failImage(db, { ...held, code: 'moderation_refused', message: '' }),
          () => requeueImage(db, { ...held, delayMs: 60_000 }),
        ]
        const turned = [...endings.slice(index % 4), ...endings.slice(0, index % 4)]
        const won = await Promise.all(turned.map((end) => end()))
        assert.equal(won.filter(Boolean).length, 1)
        const status = String((await imageRow(id)).status)
        outcomes[status] = (outcomes[status] ?? 0) + 1
        assert.equal(await refunds(id), status === 'failed' ? 1 : 0)
      }),
    )
    assert.ok(Number(outcomes.ready) > 0 && Number(outcomes.failed) > 0, JSON.stringify(outcomes))
    assert.deepEqual((await verifyLedger(db)).faults, [])
  })

  test('an image that nobody holds is failed once by ten sweeps', async () => {
    const id = await orderOne(server)
    const failure = { imageId: id, fence: undefined, code: 'generation_deadline', message: '' }
    const won = await Promise.all(Array.from({ length: 10 }, () => failImage(db, failure)))
    assert.equal(won.filter(Boolean).length, 1)
    assert.equal(await refunds(id), 1)
    assert.equal(await failImage(db, { ...failure, imageId: 'v2-aaaaaaaaa-aaaaaaaaa' }), false)
  })

  test('an attempt is closed once, and an attempt that was left open is closed as unknown by the next', async () => {
    const id = await orderOne(server)
    await claim(id)
    const attempt = { imageId: id, fence: 1, route: 'check', provider: 'check', isPaid: true }
    const first = await openAttempt(db, attempt)
    assert.ok(first !== undefined)
    const second = await openAttempt(db, attempt)
    assert.ok(second !== undefined)
    await closeAttempt(db, first, { outcome: 'done' })
    await closeAttempt(db, second, {
      outcome: 'refused',
      message: `half a pair \ud800, NUL \0, ${'long '.repeat(200)}`,
    })
    const rows = await query(
      databaseUrl,
      'SELECT outcome, length(message) AS length FROM attempts WHERE image_id = $1 ORDER BY id',
      [id],
    )
    assert.deepEqual(
      rows.map(({ outcome }) => outcome),
      ['unknown', 'refused'],
    )
    assert.ok(rows[1].length <= 500)
  })
})
