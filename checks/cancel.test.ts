/** DELETE /api/image/:id: who ordered an image calls it off. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { claimImage, requeueImage } from '@wombat/images'
import { failImage, verifyLedger } from '@wombat/ledger'
import { createTemporaryDirectory, until } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import { CHECK_ROUTES, finishNow, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
const folder = await createTemporaryDirectory()
after(async () => {
  await folder[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

function cancel(id: string, key: string | null = server.apiKey) {
  const headers = key === null ? {} : { authorization: `Bearer ${key}` }
  return server.get(pathOf(id), { method: 'DELETE', headers })
}

function claim(imageId: string) {
  const lease = { owner: 'check', leaseSeconds: 30, routes: CHECK_ROUTES }
  return claimImage(server.db, { model: 'gpt-image-2', imageId, ...lease })
}

async function refunds(id: string): Promise<number> {
  const rows = await query(server.databaseUrl, `SELECT FROM ledger_entries WHERE kind = 'refund' AND ref = $1`, [id])
  return rows.length
}

describe('DELETE of an image', { timeout: 60_000 }, () => {
  test('one that waits is cancelled with its refund, and who waits for it learns it', async () => {
    const before = await server.balance()
    const [id = '', neighbour = ''] = await order(server, { quality: 'medium', numImages: 2 })
    const waiting = server.get(pathOf(id))
    await until(() => server.engine.waiters.size > 0, { what: 'somebody waits' })
    const answer = await cancel(id)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    const status = answer.json
    assert.ok(typeof status === 'object' && status !== null && 'error' in status && 'status' in status)
    assert.deepEqual(
      [status.status, status.error],
      ['failed', { code: 'image_cancelled', message: 'The image was cancelled before it was made.', refunded: true }],
    )
    const told = await waiting
    assert.deepEqual([told.status, told.error.code, told.error.refunded], [410, 'image_cancelled', true])
    assert.equal(await server.balance(), before - 8)
    assert.equal((await server.get(`/api/image/${neighbour}.json`)).text.includes('"status":"queued"'), true)
  })

  test('again gives the same answer and no second refund, also many at once', async () => {
    const id = await orderOne(server)
    const before = await server.balance()
    const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(id)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal(await server.balance(), before + 1)
    assert.equal(await refunds(id), 1)
  })

  test('one that is being made is refused, and can be cancelled when it waits again', async () => {
    const id = await orderOne(server)
    const claimed = await claim(id)
    assert.ok(claimed !== undefined)
    const refused = await cancel(id)
    assert.deepEqual([refused.status, refused.error.code], [409, 'image_in_progress'])
    assert.equal(await refunds(id), 0)
    await requeueImage(server.db, { imageId: id, fence: claimed.fence, delayMs: 60_000 })
    assert.equal((await cancel(id)).status, 200)
    assert.equal(await claim(id), undefined)
  })

  test('against a worker that claims it at the same time, one of the two has it', async () => {
    for (let round = 0; round < 20; round += 1) {
      const id = await orderOne(server)
      const [answer, claimed] = await Promise.all([cancel(id), claim(id)])
      assert.equal(answer.status, claimed === undefined ? 200 : 409)
      assert.equal(await refunds(id), claimed === undefined ? 1 : 0)
    }
  })

  test('one that is done is refused, however it ended', async () => {
    const ready = await orderOne(server)
    await finishNow(server.engine, ready, 'image/jpeg')
    const failed = await orderOne(server)
    await failImage(server.db, { imageId: failed, fence: undefined, code: 'generation_failed', message: '' })
    const before = await server.balance()
    for (const [id, outcome] of [
      [ready, 'finished'],
      [failed, 'failed'],
    ] as const) {
      const answer = await cancel(id)
      assert.deepEqual([answer.status, answer.error.code], [409, 'image_finished'])
      assert.deepEqual(answer.error.details, { outcome })
    }
    assert.equal(await server.balance(), before)
    assert.equal((await server.get(pathOf(ready))).status, 200)
  })

  test('needs the key of the account: 401 without one, 404 for another account as for an unknown image', async () => {
    const id = await orderOne(server)
    const stranger = await server.createAccount()
    assert.equal((await cancel(id, null)).error.code, 'unauthorized')
    assert.equal((await cancel('v2-000000000-000000000', null)).status, 401)
    const foreign = await cancel(id, stranger.apiKey)
    const unknown = await cancel('v2-000000000-000000000')
    assert.deepEqual([foreign.status, foreign.error.message], [404, unknown.error.message])
    assert.equal(unknown.status, 404)
    assert.equal((await server.get('/api/image/nonsense', { method: 'DELETE' })).status, 401)
    const [row] = await query(server.databaseUrl, 'SELECT status FROM images WHERE id = $1', [id])
    assert.equal(row.status, 'queued')
  })

  test('not by a disabled account', async () => {
    const account = await server.createAccount()
    const id = await orderOne({ post: (body) => server.post(body, { key: account.apiKey }) })
    await query(server.databaseUrl, 'UPDATE accounts SET disabled_at = now() WHERE id = $1', [account.accountId])
    await query(server.databaseUrl, `SELECT pg_notify('wombat_accounts', '')`)
    const answer = await until(
      async () => {
        const { status } = await server.post({ prompt: 'x' }, { key: account.apiKey })
        return status === 403 && cancel(id, account.apiKey)
      },
      { what: 'the account is refused' },
    )
    assert.deepEqual([answer.status, answer.error.code], [403, 'account_disabled'])
  })

  test('a browser may send it', async () => {
    const { headers } = await server.get(pathOf('v2-000000000-000000000'), { method: 'OPTIONS' })
    assert.match(headers.get('access-control-allow-methods') ?? '', /DELETE/)
    assert.match(headers.get('access-control-allow-headers') ?? '', /Authorization/)
  })

  test('wombat image cancel does the same, for any account', async () => {
    const run = (id: string) =>
      callCli(['image', 'cancel', id, '--json'], {
        folder: folder.path,
        env: { DATABASE_URL: server.databaseUrl, ...server.parts },
      })
    const id = await orderOne(server)
    const { code, stdout } = await run(id)
    assert.deepEqual([code, JSON.parse(stdout)], [0, { imageId: id, status: 'cancelled' }])
    assert.equal(await refunds(id), 1)
    const made = await orderOne(server)
    await claim(made)
    const refused = await run(made)
    assert.equal(refused.code, 6)
    assert.match(refused.stderr, /is being made right now/)
    assert.equal((await run('v2-000000000-000000000')).code, 5)
  })

  test('and the ledger is sound', async () => {
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})
