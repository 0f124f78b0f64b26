/** Idempotency-Key: the same key and body within a day give the same answer and cost nothing. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { withClient } from '@wombat/database'
import { verifyLedger } from '@wombat/ledger'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
after(() => server[Symbol.asyncDispose]())

const BODY = { prompt: 'cat', numImages: 2, generateAltText: true }
const withKey = (idempotencyKey: string) => ({ headers: { 'idempotency-key': idempotencyKey } })

test('the same key and body: the same URLs and alt texts, no charge, and a header that says so', async () => {
  const first = await server.post(BODY, withKey('replay'))
  assert.equal(first.headers.get('idempotent-replayed'), null)
  const balance = await server.balance()
  const second = await server.post(BODY, withKey('replay'))
  assert.equal(second.text, first.text)
  assert.equal(second.headers.get('idempotent-replayed'), 'true')
  assert.equal(second.headers.get('x-credits-charged'), '0')
  assert.equal(second.headers.get('x-credits-remaining'), String(balance))
  assert.equal(await server.balance(), balance)
})

test('the body is the same when it means the same', async () => {
  const first = await server.post({ prompt: 'cat', numImages: 1 }, withKey('meaning'))
  const rawBody = ' {"extra":1, "numImages":"1", "model":"gpt-image-2", "size":null, "prompt":" cat "}'
  const second = await server.post(undefined, { ...withKey('meaning'), rawBody })
  assert.equal(second.text, first.text)
})

test('the same key and another body: 409, and no charge', async () => {
  await server.post(BODY, withKey('conflict'))
  const balance = await server.balance()
  for (const other of [
    { ...BODY, prompt: 'dog' },
    { ...BODY, numImages: 1 },
    { ...BODY, quality: 'high' },
  ]) {
    const answer = await server.post(other, withKey('conflict'))
    assert.deepEqual([answer.status, answer.error.code], [409, 'idempotency_conflict'])
  }
  assert.equal(await server.balance(), balance)
})

test('the same key on another account is another key', async () => {
  const { apiKey } = await server.createAccount()
  const mine = await server.post(BODY, withKey('shared'))
  const theirs = await server.post({ prompt: 'dog' }, { ...withKey('shared'), key: apiKey })
  assert.equal(theirs.status, 200)
  assert.notEqual(theirs.text, mine.text)
})

test('20 at once with one key: one charge, one set of URLs', async () => {
  const { apiKey, accountId } = await server.createAccount()
  await using second = await startTestServer({ role: 'api', beside: server, env: { PUBLIC_URL: server.url } })
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, number) =>
      (number % 2 === 0 ? server : second).post(BODY, { ...withKey('at once'), key: apiKey }),
    ),
  )
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.equal(new Set(answers.map(({ text }) => text)).size, 1)
  assert.equal(answers.filter(({ headers }) => headers.has('idempotent-replayed')).length, 19)
  assert.equal(await server.balance(accountId), 998)
})

test('a replay is answered when no credit is left for it', async () => {
  const { apiKey } = await server.createAccount({ credits: 2 })
  const first = await server.post(BODY, { ...withKey('poor'), key: apiKey })
  assert.equal((await server.post(BODY, { key: apiKey })).status, 402)
  assert.equal((await server.post(BODY, { ...withKey('poor'), key: apiKey })).text, first.text)
})

test('a request that was refused does not use up its key', async () => {
  const { apiKey, accountId } = await server.createAccount({ credits: 1 })
  const options = { ...withKey('refused'), key: apiKey }
  assert.equal((await server.post(BODY, options)).status, 402)
  assert.equal((await server.post({ ...BODY, numImages: 9 }, options)).status, 400)
  const answer = await server.post({ ...BODY, numImages: 1 }, options)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('idempotent-replayed'), null)
  assert.equal(await server.balance(accountId), 0)
})

test('a key holds for 24 hours, and then begins anew', async () => {
  const age = (hours: number) =>
    withClient(server.databaseUrl, (client) =>
      client.query(
        `UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $1::float8 * 3600)
         WHERE key_hash = sha256('day')`,
        [hours],
      ),
    )
  const first = await server.post(BODY, withKey('day'))
  assert.equal((await age(23.99)).rowCount, 1)
  assert.equal((await server.post(BODY, withKey('day'))).text, first.text)
  assert.equal((await server.post({ prompt: 'dog' }, withKey('day'))).status, 409)
  await age(24.01)
  const next = await server.post({ prompt: 'dog' }, withKey('day'))
  assert.equal(next.status, 200)
  assert.equal(next.headers.get('idempotent-replayed'), null)
  assert.equal((await server.post({ prompt: 'dog' }, withKey('day'))).text, next.text)
})

test('a key of 1 to 255 printable characters is taken, another is 400', async () => {
  for (const key of ['x', 'x'.repeat(255), 'a key with spaces', '~!"$%&/()=?']) {
    assert.equal((await server.post(BODY, withKey(key))).status, 200, key)
  }
  for (const key of ['', 'x'.repeat(256), 'ä', 'tab\tin']) {
    const answer = await server.post(BODY, withKey(key))
    assert.equal(answer.status, 400, key)
    assert.deepEqual(answer.error.details, { field: 'Idempotency-Key' })
  }
})

test('it survives a kill and a restart', async () => {
  await using process = await spawnTestServer({ role: 'api' })
  const first = await process.post(BODY, withKey('restart'))
  await process.kill()
  await process.start()
  const second = await process.post(BODY, withKey('restart'))
  assert.equal(second.text, first.text)
  assert.equal(second.headers.get('idempotent-replayed'), 'true')
  assert.equal((await process.post({ prompt: 'dog' }, withKey('restart'))).status, 409)
  assert.equal(await process.balance(), 998)
})

test('after all of it the ledger agrees', async () => {
  assert.deepEqual((await verifyLedger(server.db)).faults, [])
})
