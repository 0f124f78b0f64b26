/** Rows that are deleted after a time, and what must stay as it was. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { pruneOnce } from '@wombat/engine'
import { forgetImages } from '@wombat/images'
import { verifyLedger } from '@wombat/ledger'
import { finishNow, order, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({
  role: 'api',
  env: { DELETE_RECORDS_DAYS: '30', DELETE_DELIVERIES_DAYS: '10', BOOTSTRAP_CREDITS: '1000' },
})
after(() => server[Symbol.asyncDispose]())
const ONE_BY_ONE = { olderThanSeconds: 30 * 86_400, limit: 1 }

function sql(text: string, values?: readonly unknown[]) {
  return query(server.databaseUrl, text, values)
}

async function count(table: string): Promise<number> {
  const [row] = await sql(`SELECT count(*)::int AS n FROM ${table}`)
  return Number(row?.n)
}

async function faults(): Promise<string[]> {
  return (await verifyLedger(server.db)).faults.map(({ rule }) => rule)
}

/** As if they had been ordered so long ago. */
async function age(ids: readonly string[], days: number): Promise<void> {
  await sql(`UPDATE images SET created_at = created_at - make_interval(days => $2) WHERE id = ANY ($1)`, [ids, days])
}

describe('records of old images', { timeout: 120_000 }, () => {
  test('go with all that hangs on them, and the ledger still adds up', async () => {
    const [kept = '', removed = ''] = await order(server, { numImages: 2 })
    const [failed = '', young = ''] = [...(await order(server)), ...(await order(server))]
    for (const id of [kept, removed]) {
      await finishNow(server.engine, id, 'image/jpeg')
    }
    await sql(`INSERT INTO attempts (image_id, fence, provider, is_paid) VALUES ($1, 1, 'synthetic', false)`, [failed])
    await sql('SELECT erase_image(id) FROM unnest($1::text[]) AS id', [[removed, failed, young]])
    await age([kept, removed, failed], 31)
    await age([young], 29)
    const before = { entries: await count('ledger_entries'), balance: await server.balance() }

    assert.equal(await forgetImages(server.db, ONE_BY_ONE), 1)
    assert.equal(await count('images'), 3)
    await pruneOnce(server.engine, AbortSignal.timeout(60_000))

    assert.deepEqual(
      (await sql('SELECT id FROM images ORDER BY id')).map(({ id }) => id),
      [kept, young].sort(),
    )
    // The request of the one that is ready stays with it.
    assert.equal(await count('requests'), 2)
    assert.equal(await count('attempts'), 0)
    assert.deepEqual({ entries: await count('ledger_entries'), balance: await server.balance() }, before)
    assert.deepEqual(await faults(), [])
    assert.equal((await server.get(pathOf(removed))).status, 404)
    assert.equal((await server.get(pathOf(kept))).status, 200)
    assert.equal((await server.get(pathOf(young))).status, 410)
    assert.equal(await forgetImages(server.db, ONE_BY_ONE), 0)
  })

  test('do not hide an image that is missing for another reason', async () => {
    const [lost = ''] = await order(server)
    const [row] = await sql('SELECT request_id FROM images WHERE id = $1', [lost])
    await sql('DELETE FROM images WHERE id = $1', [lost])
    assert.deepEqual(await faults(), ['a charge is for an image of the same account'])
    // One that was charged before the newest forgotten one is found by their number.
    await sql('UPDATE forgotten SET last_charge = (SELECT max(id) FROM ledger_entries)')
    assert.deepEqual(await faults(), ['as many images are missing as were forgotten'])
    await sql('UPDATE forgotten SET images = images + 1')
    assert.deepEqual(await faults(), [])
    await sql('DELETE FROM requests WHERE id = $1', [row?.request_id])
  })

  test('stay while somebody else holds them, and two at once share the work', async () => {
    const ids = [...(await order(server, { numImages: 4 })), ...(await order(server, { numImages: 4 }))]
    await sql('SELECT erase_image(id) FROM unnest($1::text[]) AS id', [ids])
    await age(ids, 40)
    const forgotten = await Promise.all([1, 2, 3, 4].map(() => forgetImages(server.db, { ...ONE_BY_ONE, limit: 100 })))
    const late = await forgetImages(server.db, { ...ONE_BY_ONE, limit: 100 })
    assert.equal(
      forgotten.reduce((sum, images) => sum + images, late),
      ids.length,
    )
    assert.deepEqual(await faults(), [])
  })
})

test('messages to webhooks and idempotency keys go when their time is over', { timeout: 60_000 }, async () => {
  await server.post({ prompt: 'a' }, { headers: { 'idempotency-key': 'old' } })
  await server.post({ prompt: 'b' }, { headers: { 'idempotency-key': 'new' } })
  await sql(`UPDATE idempotency_keys SET created_at = now() - interval '25 hours'
             WHERE key_hash = (SELECT key_hash FROM idempotency_keys ORDER BY created_at LIMIT 1)`)
  await sql(`INSERT INTO webhook_deliveries (id, webhook_id, image_id, event, status, created_at)
             SELECT gen_random_uuid(), gen_random_uuid(), 'v2-x', 'image.finished', 'delivered', now() - make_interval(days => d)
             FROM generate_series(8, 11) AS d`)
  await sql(`INSERT INTO key_spending (key_id, period, begins, spent)
             SELECT gen_random_uuid(), 'day', (now() AT TIME ZONE 'UTC')::date - d, 1 FROM unnest(ARRAY[0, 20, 100]) AS d`)
  await pruneOnce(server.engine, AbortSignal.timeout(60_000))
  assert.deepEqual([await count('idempotency_keys'), await count('webhook_deliveries')], [1, 2])
  assert.equal(await count('key_spending'), 2)
})
