/** What an operator erases, through the command, beside the servers that deliver it. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { eraseAccount } from '@wombat/engine'
import { verifyLedger } from '@wombat/ledger'
import { createTemporaryDirectory, until } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import type { Finished } from '../apps/cli/src/run-cli.ts'
import { finishNow, order, orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

// Nobody works here but the test, so that an image is in the state that the test wants.
const server = await startTestServer({ role: 'api' })
const folder = await createTemporaryDirectory()
after(async () => {
  await folder[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

function wombat(...args: string[]): Promise<Finished> {
  return callCli(args, { folder: folder.path, env: { DATABASE_URL: server.databaseUrl, ...server.parts } })
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await wombat(...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function orderReady(fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const id = await orderOne(server, fields)
  await finishNow(server.engine, id, 'image/jpeg')
  return id
}

async function keyOf(id: string): Promise<string> {
  const [row] = await query(server.databaseUrl, 'SELECT object_key FROM images WHERE id = $1', [id])
  return String(row?.object_key)
}

/** What the client wrote and what was made of it. */
async function writtenOf(id: string): Promise<Record<string, unknown>> {
  const [row] = await query(
    server.databaseUrl,
    `SELECT r.prompt, r.final_prompt, r.alt, r.reference_images
     FROM requests r JOIN images i ON i.request_id = r.id WHERE i.id = $1`,
    [id],
  )
  return { ...row }
}

async function assertGone(id: string, expected: { refunded: boolean }, from: Pick<typeof server, 'get'> = server) {
  const answer = await from.get(pathOf(id))
  assert.equal(answer.status, 410)
  assert.equal(answer.error.code, 'image_erased')
  assert.deepEqual(answer.error.details, expected)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
}

const ERASED = { prompt: '', final_prompt: '', alt: '', reference_images: [] }
const SECRET = 'my neighbour at number 7'
const REFERENCES = ['https://example.com/neighbour.jpg']

describe('an image that is erased', { timeout: 60_000 }, () => {
  test('when it was ready: no process delivers it any more, nothing is given back, and its file is deleted', async () => {
    await using other = await spawnTestServer({ role: 'api', beside: server })
    const id = await orderReady()
    const key = await keyOf(id)
    const before = await server.balance()
    for (const one of [server, other, server, other]) {
      assert.equal((await one.get(pathOf(id))).status, 200)
    }
    assert.ok(server.engine.images.peek(id) !== undefined, 'it is in memory')

    const { code, stdout } = await wombat('image', 'erase', `${server.url}${pathOf(id)}`, '--yes')
    assert.equal(code, 0)
    assert.match(
      stdout,
      /is removed: .* 410 .*A running server deletes its bytes within a minute\.\nThe prompt .* erased/,
    )
    for (const one of [server, other]) {
      await until(async () => (await one.get(pathOf(id))).status !== 200, { what: 'its notification' })
      await assertGone(id, { refunded: false }, one)
    }
    assert.equal(server.engine.images.peek(id), undefined)
    assert.equal(await server.balance(), before)
    const { status, contentType, error } = (await server.get(`/api/image/${id}.json`)).json as Record<string, unknown>
    assert.deepEqual(
      { status, contentType, error },
      {
        status: 'failed',
        contentType: null,
        error: { code: 'image_erased', message: 'The image was erased.', refunded: false },
      },
    )

    assert.ok(await server.holds(key))
    await using _worker = await startTestServer({ role: 'worker', beside: server })
    await until(async () => !(await server.holds(key)), { what: 'the sweep deletes the object' })
    const garbage = () => query(server.databaseUrl, 'SELECT FROM garbage_objects')
    await until(async () => (await garbage()).length === 0, { what: 'nothing is left to delete' })
    assert.deepEqual(await json('image', 'erase', id, '--yes'), { imageId: id, done: 'forgotten', promptErased: true })
  })

  test('when it was still to be made: who waits for it hears at once that its credits are back', async () => {
    const before = await server.balance()
    const id = await orderOne(server, { quality: 'medium' })
    assert.equal(await server.balance(), before - 8)
    const waiting = server.get(pathOf(id))
    await until(() => server.engine.waiters.size === 1, { what: 'a waiter' })
    const heard = waiting.then(() => Date.now())
    assert.deepEqual(await json('image', 'erase', id, '--yes'), { imageId: id, done: 'refunded', promptErased: true })
    const { status, error } = await waiting
    const [row] = await query(server.databaseUrl, 'SELECT finished_at FROM images WHERE id = $1', [id])
    const tookMs = (await heard) - Number(row?.finished_at)
    // Before the search for lost notifications would find it, and long before the first wait would end.
    assert.ok(tookMs < 4_000, `${tookMs} ms`)
    assert.equal(status, 410)
    assert.equal(error.code, 'image_erased')
    assert.equal(error.refunded, true)
    assert.deepEqual(error.details, { refunded: true })
    assert.equal(await server.balance(), before)
    const entries = await query(server.databaseUrl, 'SELECT kind, amount FROM ledger_entries WHERE ref = $1', [id])
    assert.deepEqual(
      entries.map(({ kind, amount }) => [kind, amount]),
      [
        ['charge', -8],
        ['refund', 8],
      ],
    )
    await assertGone(id, { refunded: true })
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })

  test('its prompt, alt text and reference URLs stay while a sibling needs them, and go with the last', async () => {
    const fields = { prompt: SECRET, referenceImages: REFERENCES, generateAltText: true, numImages: 4 }
    const [ready = '', queued = '', making = '', last = ''] = await order(server, fields)
    await finishNow(server.engine, ready, 'image/jpeg')
    await query(
      server.databaseUrl,
      `UPDATE images SET status = 'generating', fence = 3, lease_owner = 'x', lease_until = now() + interval '1 h' WHERE id = $1`,
      [making],
    )
    const written = await writtenOf(last)
    assert.equal(written.prompt, SECRET)
    assert.deepEqual(written.reference_images, REFERENCES)
    assert.notEqual(written.alt, '')

    const done = ['removed', 'refunded', 'refunded']
    for (const [index, imageId] of [ready, queued, making].entries()) {
      const answer = await json('image', 'erase', imageId, '--yes')
      assert.deepEqual(answer, { imageId, done: done[index], promptErased: false })
      assert.deepEqual(await writtenOf(last), written)
    }
    const { stdout } = await wombat('image', 'erase', last, '--yes')
    assert.match(stdout, /called off, and its credits were given back\.\nThe prompt .* are erased/)
    assert.deepEqual(await writtenOf(last), ERASED)

    const rows = await query(server.databaseUrl, 'SELECT requests::text AS text FROM requests')
    assert.ok(rows.length > 0 && rows.every(({ text }) => !String(text).includes(SECRET)))
    const shown = await wombat('image', 'show', last)
    assert.equal(shown.code, 0)
    assert.match(shown.stdout, /^failure +image_erased: /m)
    assert.doesNotMatch(shown.stdout, /^prompt/m)
    const { images } = await json('image', 'list', '--status', 'removed')
    assert.ok(images.some(({ imageId }: { imageId: string }) => imageId === ready))
    assert.ok(images.every(({ status }: { status: string }) => status === 'removed'))
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })

  test('is called off and refunded also while a worker makes it', async () => {
    const id = await orderOne(server)
    await using worker = await startTestServer({
      role: 'worker',
      beside: server,
      env: { SYNTHETIC_LATENCY_MS: '600000' },
    })
    const stateOf = async () => (await query(server.databaseUrl, 'SELECT status FROM images WHERE id = $1', [id]))[0]
    await until(async () => (await stateOf())?.status === 'generating', { what: 'a worker has it' })
    assert.equal((await json('image', 'erase', id, '--yes')).done, 'refunded')
    await worker.stop()
    assert.equal((await stateOf())?.status, 'failed')
    await assertGone(id, { refunded: true })
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })

  test('is erased only by who says so', async () => {
    const id = await orderReady()
    for (const args of [
      ['image', 'erase', id],
      ['image', 'erase', id, '--json'],
      ['account', 'erase', server.accountId, '--disable'],
    ]) {
      const { code, stdout, stderr } = await wombat(...args)
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /say --yes/)
    }
    assert.equal((await server.get(pathOf(id))).status, 200)
  })
})

describe('an account whose images are erased', { timeout: 60_000 }, () => {
  test('keeps its ledger, its row and its keys, and no word of what it asked for', async () => {
    const { accountId, apiKey } = await server.createAccount({ credits: 100 })
    const own = { post: (body: unknown) => server.post(body, { key: apiKey }) }
    const others = await orderReady()
    const fields = { prompt: SECRET, referenceImages: REFERENCES, numImages: 3 }
    const [ready = '', failed = '', queued = ''] = await order(own, fields)
    await finishNow(server.engine, ready, 'image/jpeg')
    await query(server.databaseUrl, `SELECT fail_image($1, NULL, 'generation_failed', 'It failed.')`, [failed])
    const [expired = ''] = await order(own, { prompt: SECRET })
    await finishNow(server.engine, expired, 'image/jpeg')
    await query(
      server.databaseUrl,
      `UPDATE images SET status = 'removed', object_key = NULL, failure_code = 'image_expired' WHERE id = $1`,
      [expired],
    )
    assert.equal(await server.balance(accountId), 97)

    const { code, stdout } = await wombat('account', 'erase', accountId, '--yes')
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`^Erased, of the account ${accountId} \\(check\\):$`, 'm'))
    assert.match(stdout, /^ +1 image was still to be made: /m)
    assert.match(stdout, /^ +1 image was removed: /m)
    assert.match(stdout, /^ +2 images had no bytes any more$/m)
    assert.match(stdout, /ledger, the account with its name, and its keys stay/)
    assert.match(stdout, /delete the bytes within a minute/)
    assert.match(stdout, /is active, .*--disable/)

    for (const id of [ready, failed, queued, expired]) {
      assert.deepEqual(await writtenOf(id), ERASED)
    }
    assert.equal((await writtenOf(others)).prompt, 'wombat')
    assert.equal((await server.get(pathOf(others))).status, 200)
    await until(async () => (await server.get(pathOf(ready))).status !== 200, { what: 'its notification' })
    await assertGone(ready, { refunded: false })
    await assertGone(queued, { refunded: true })
    await assertGone(expired, { refunded: false })
    const failure = await server.get(pathOf(failed))
    assert.equal(failure.error.code, 'generation_failed')

    assert.equal(await server.balance(accountId), 98)
    const { entries } = await json('ledger', 'show', accountId)
    assert.equal(entries.length, 7)
    const account = await json('account', 'show', accountId)
    assert.equal(account.name, 'check')
    assert.deepEqual(
      account.keys.map(({ state }: { state: string }) => state),
      ['active'],
    )
    const { ok, faults } = await json('ledger', 'verify')
    assert.deepEqual({ ok, faults }, { ok: true, faults: [] })
  })

  test('may be disabled first, and the erasure may be repeated', async () => {
    const { accountId, apiKey } = await server.createAccount()
    const [first = ''] = await order({ post: (body) => server.post(body, { key: apiKey }) }, { prompt: SECRET })
    const erase = () => json('account', 'erase', '--account', accountId, '--disable', '--yes')
    const rest = { accountId, complete: true, disabled: true }
    assert.deepEqual(await erase(), { ...rest, refunded: 1, removed: 0, forgotten: 0 })
    const refused = await server.post({ prompt: 'cat' }, { key: apiKey })
    assert.equal(refused.status, 403)
    assert.equal(refused.error.code, 'account_disabled')
    const { disabledAt } = await server.db.prisma.account.findUniqueOrThrow({ where: { id: accountId } })
    const again = await erase()
    assert.deepEqual([again.refunded, again.removed, again.complete], [0, 0, true])
    const later = await server.db.prisma.account.findUniqueOrThrow({ where: { id: accountId } })
    assert.deepEqual(later.disabledAt, disabledAt)
    assert.deepEqual(await writtenOf(first), ERASED)
    assert.equal(await server.balance(accountId), 1000)
  })

  test('may be broken off between its images, and a second run does the rest', async () => {
    const { accountId, apiKey } = await server.createAccount({ credits: 2000 })
    const own = { post: (body: unknown) => server.post(body, { key: apiKey }) }
    await Promise.all(Array.from({ length: 130 }, () => order(own, { prompt: SECRET, numImages: 4 })))
    const stopping = new AbortController()
    const first = await eraseAccount(server.db, accountId, {
      isToBeDisabled: true,
      stop: stopping.signal,
      onBatch: () => stopping.abort(),
    })
    assert.deepEqual(first, {
      counts: { refunded: 400, removed: 0, forgotten: 0 },
      isComplete: false,
      isDisabled: true,
    })
    assert.equal(await server.balance(accountId), 1880)
    const { refunded, complete } = await json('account', 'erase', accountId, '--yes')
    assert.deepEqual({ refunded, complete }, { refunded: 120, complete: true })
    assert.equal(await server.balance(accountId), 2000)
    const left = `SELECT FROM requests WHERE account_id = $1 AND (prompt, alt, cardinality(reference_images)) <> ('', '', 0)`
    assert.equal((await query(server.databaseUrl, left, [accountId])).length, 0)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})
