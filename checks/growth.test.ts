/**
 * What is asked all the time must not become slower with each image that was ever made: every statement that a server runs
 * on a database with many images is written down by PostgreSQL itself, as it was carried out, and must have used an index
 * and looked at few rows. WOMBAT_GROWTH_URL names a database that `npm run bench -- growth` has loaded, to see the same
 * at ten million.
 */
// Not once more on Redis and S3: it is about the plans of statements, which are the same; only the queue's own are fewer.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openDatabase } from '@wombat/database'
import { pruneOnce, removeExpired, sweepOnce } from '@wombat/engine'
import { claimImage, findDue, findImageStatus, findOverdue, requeueImage } from '@wombat/images'
import { createTemporaryDirectory, createTestDatabase, loadManyImages, until } from '@wombat/testing'
import { CHECK_ROUTES, idOf, query } from './image-tools.ts'
import { type Scan, watchPlans } from './seen-plans.ts'
import type { Answer } from './send.ts'
import { startTestServer } from './server-fixture.ts'
import { startReceiver } from './webhook-receiver.ts'

const MANY = { images: 40_000, accounts: 100, queued: 8, generating: 4 }
/** Beyond a batch of 500 that two take at once, a page, and what waits; a twentieth of the images. */
const MOST_ROWS = 2_000
const TABLES = new Set(['images', 'requests', 'ledger_entries', 'attempts', 'idempotency_keys', 'webhook_deliveries'])
const TOKEN = 'growth-secret-0123456789abcdef'
const SIGNAL = new AbortController().signal

describe('with many images', { timeout: 240_000 }, async () => {
  const stack = new AsyncDisposableStack()
  after(() => stack.disposeAsync())
  const given = process.env.WOMBAT_GROWTH_URL
  const databaseUrl = given ?? stack.use(await createTestDatabase()).url
  if (given === undefined) {
    await loadManyImages(databaseUrl, MANY)
  }
  const plans = stack.use(await watchPlans(databaseUrl))
  const receiver = stack.use(await startReceiver())
  const { path: dataDir } = stack.use(await createTemporaryDirectory())
  const server = stack.use(
    await startTestServer({
      beside: {
        databaseUrl,
        dataDir,
        parts: {},
        holds: async () => false,
        loseJobs: async () => {},
        accountId: '',
        apiKey: '',
      },
      env: {
        ADMIN_TOKEN: TOKEN,
        PUBLIC_URL: 'https://images.example.com',
        WEBHOOK_ALLOW_HOSTS: receiver.host,
        SYNTHETIC: 'always',
        SIMULATE_HEADER: 'true',
        MODERATION_REFUSALS_PER_HOUR: '100',
        DELETE_IMAGES_DAYS: '364.7',
        DELETE_RECORDS_DAYS: '364.8',
        DELETE_DELIVERIES_DAYS: '364',
      },
    }),
  )

  const admin = async (path: string, body?: object): Promise<Answer> => {
    const answer = await server.get(`/admin/v1${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${answer.text}`)
    return answer
  }

  test('no statement of a server looks at more rows than it has to', async () => {
    const client = await server.createAccount({ limits: { dailyBudget: 900 } })
    const tag = { key: client.apiKey, headers: { 'x-wombat-tags': 'team=acme' } }
    await admin('/plans', { name: `narrow-${Date.now()}`, isProfessional: false, concurrency: 50 })
    await query(
      databaseUrl,
      `INSERT INTO webhooks (id, account_id, url, secret) VALUES (gen_random_uuid(), $1, $2, $3)`,
      [client.accountId, receiver.url, `whsec_${Buffer.from('growth'.repeat(5)).toString('base64')}`],
    )

    // Clients.
    const made = await server.post({ prompt: 'wombat', numImages: 2 }, tag)
    const ids = made.images.map(({ url }) => idOf(url))
    const [id = ''] = ids
    const headers = { ...tag.headers, 'idempotency-key': 'growth' }
    await server.post({ prompt: 'once' }, { ...tag, headers })
    assert.equal((await server.post({ prompt: 'once' }, { ...tag, headers })).status, 200)
    assert.equal((await server.post({ prompt: 'twice' }, { ...tag, headers })).status, 409)
    await server.post({ prompt: 'dry' }, { ...tag, path: '/api/image-generation/?dryRun=1' })
    assert.equal((await server.get(`/api/image/${id}.json`)).status, 200)
    for (const one of ids) {
      assert.equal((await server.get(`/api/image/${one}.jpg`)).status, 200)
    }
    assert.equal((await server.get('/api/image/v2-000000000-000000000.jpg')).status, 404)
    await until(() => receiver.received.length >= ids.length, { what: 'the webhooks' })

    // What waits from before is made as well, which the claims are seen by.
    await until(
      async () => (await query(databaseUrl, `SELECT FROM images WHERE status = 'queued' LIMIT 1`)).length === 0,
      {
        what: 'the queue is empty',
        timeoutMs: 60_000,
      },
    )
    const refused = await server.post({ prompt: 'refused' }, { ...tag, headers: { 'x-wombat-simulate': 'moderation' } })
    const [lost = ''] = refused.images.map(({ url }) => idOf(url))
    assert.equal((await server.get(`/api/image/${lost}.jpg`)).status, 422)
    await server.get(`/api/image/${lost}.json`)

    // Operators.
    const since = `since=${new Date(Date.now() - 600_000).toISOString()}`
    for (const filter of [
      '',
      `&accountId=${client.accountId}`,
      '&status=failed',
      '&status=queued',
      `&${since}`,
      '&model=standard',
    ]) {
      await admin(`/images?limit=50${filter}`)
    }
    const { next } = JSON.parse((await admin('/images?limit=50')).text)
    await admin(`/images?limit=50&cursor=${encodeURIComponent(next)}`)
    for (const by of ['account', 'key', 'model', 'day', 'route', 'tag:team']) {
      await admin(`/usage?by=${encodeURIComponent(by)}&${since}`)
      await admin(`/usage?by=${encodeURIComponent(by)}&${since}&accountId=${client.accountId}`)
    }
    await admin(`/images/${id}`)
    await admin(`/images/${id}/erase`, {})
    await admin(`/accounts/${client.accountId}`)
    await admin(`/accounts/${client.accountId}/ledger`)
    await admin(`/accounts/${client.accountId}/credits/grant`, { credits: 5, ref: `growth ${client.accountId}` })
    for (const path of ['/accounts', '/routes', '/audit', '/audit?subject=growth', '/plans']) {
      await admin(path)
    }
    assert.equal((await server.get('/metrics')).status, 200)
    assert.equal((await server.get('/health/ready')).status, 200)

    // What runs by itself.
    await sweepOnce(server.engine)
    assert.ok((await removeExpired(server.engine, SIGNAL)) >= 0)
    await pruneOnce(server.engine, SIGNAL)
    await server.stop()

    const scans = await plans.read()
    assert.deepEqual(faultsOf(scans), [])
    // Without these the above would be true of nothing.
    for (const [table, text] of SEEN) {
      assert.ok(
        scans.some((scan) => scan.table === table && scan.query.includes(text)),
        `${text} on ${table} was seen`,
      )
    }
  })

  const skip = given === undefined ? false : 'it makes a queue of thousands that nobody would clear away'
  test('not even while the statistics know nothing of a queue of thousands', { skip }, async () => {
    const db = openDatabase({ url: databaseUrl, poolSize: 1, applicationName: 'growth', onError: () => {} })
    stack.defer(() => db.close())
    await query(databaseUrl, QUEUE)
    const [row] = await query(
      databaseUrl,
      `UPDATE images SET due_at = now() + interval '1 minute'
       WHERE id = (SELECT max(id) FROM images WHERE status = 'queued' AND model = 'standard') RETURNING id`,
    )
    const last = String(row?.id)
    const before = (await plans.read()).length
    const claim = { model: 'standard', owner: 'growth', leaseSeconds: 60, routes: CHECK_ROUTES }
    for (let turn = 0; turn < 7; turn += 1) {
      const claimed = await claimImage(db, claim)
      assert.ok(claimed !== undefined)
      await requeueImage(db, { imageId: claimed.imageId, fence: claimed.fence, delayMs: 0 })
      assert.ok((await claimImage(db, { ...claim, imageId: claimed.imageId })) !== undefined)
      assert.equal((await findDue(db, { model: 'standard', limit: 20, againSeconds: 60 })).length, 20)
      await findOverdue(db, 20)
      assert.equal((await findImageStatus(db, last))?.ahead, 1000)
    }
    const scans = (await plans.read()).slice(before)
    assert.ok(scans.some(({ query: text }) => text.includes('WITH RECURSIVE behind')))
    assert.deepEqual(faultsOf(scans), [])
  })
})

/** Queues a tenth of all, of one model, and has the planner believe that nothing is queued: as in the first minute of a rush. */
const QUEUE = `
  ALTER TABLE images SET (autovacuum_enabled = false);
  UPDATE images SET status = 'queued', finished_at = NULL, object_key = NULL, sha256 = NULL, size_bytes = NULL, stored_at = NULL,
                    content_type = NULL, due_at = now(), announce_at = now(), deadline_at = now() + interval '1 day'
    WHERE status = 'ready' AND model = 'standard' AND created_at > now() - interval '150 days';
  SELECT pg_restore_attribute_stats('schemaname', 'public', 'relname', 'images', 'attname', 'status', 'inherited', false,
    'null_frac', 0::real, 'avg_width', 6, 'n_distinct', 3::real,
    'most_common_vals', '{ready,failed,removed}'::text, 'most_common_freqs', '{0.97,0.02,0.01}'::real[]);
  SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', c.relname::text, 'reltuples', 0::real)
    FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
    WHERE i.indrelid = 'images'::regclass AND pg_get_expr(i.indpred, i.indrelid) ~ 'queued|generating'`

function faultsOf(scans: readonly Scan[]): string[] {
  const faults = scans.filter(isFault).map(({ query: text, node, table, index, rows }) => {
    return `${node} on ${table} by ${index}: ${rows} rows in ${text.slice(0, 200)}`
  })
  return [...new Set(faults)]
}

function isFault({ table, node, rows }: Scan): boolean {
  return TABLES.has(table) && (node === 'Seq Scan' || rows > MOST_ROWS)
}

/** A table and words of a statement that reads it: at least one of each path. */
const SEEN: readonly (readonly [string, string])[] = [
  ['images', 'WITH RECURSIVE behind'],
  ['images', "i.status = 'queued' AND i.model = lane AND i.due_at <= now() LIMIT 1"],
  ['images', 'SELECT s.*, x.most'],
  ['images', "UPDATE images SET status = 'ready'"],
  ['images', 'SELECT DISTINCT lease_owner'],
  ['images', 'ORDER BY announce_at'],
  ['images', 'ORDER BY i.deadline_at'],
  ['images', 'ORDER BY finished_at LIMIT $3'],
  ['images', "content_type = 'image/png'"],
  ['images', "failure_code = 'moderation_refused'"],
  ['images', 'unnest($1::text[]) WITH ORDINALITY AS m'],
  ['images', 'WITH chosen AS'],
  ['images', 'SELECT 1 FROM ONLY'],
  ['ledger_entries', 'SELECT -e.amount'],
  ['attempts', 'UPDATE attempts SET outcome'],
  ['idempotency_keys', 'SELECT k.body_hash'],
  ['idempotency_keys', 'DELETE FROM idempotency_keys'],
  ['webhook_deliveries', 'WITH due AS'],
  ['webhook_deliveries', 'DELETE FROM webhook_deliveries'],
  ['requests', 'enhancing_until'],
]
