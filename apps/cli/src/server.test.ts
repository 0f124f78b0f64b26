/** `--server`: every command that takes it says the same as on the database, and leaves its entries under the token's name. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { createLogger, readConfig } from '@wombat/engine'
import { runWombat } from '@wombat/server'
import { createTemporaryDirectory, createTestDatabase } from '@wombat/testing'
import { callCli } from './call-cli.ts'
import { type Finished, ownParts } from './run-cli.ts'

const TOKEN = 'deploy-secret-0123456789abcdef'
const NOBODY = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'

const database = await createTestDatabase()
const folder = await createTemporaryDirectory()
const config = readConfig({
  ...ownParts(),
  PORT: '0',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'silent',
  RATE_LIMIT_PER_MINUTE: '1000',
  ADMIN_TOKEN: `deploy:${TOKEN}`,
})
const log = await createLogger({ level: 'silent', format: 'json' })
const running = await runWombat(config, { databaseUrl: database.url, dataDir: folder.path, role: 'api', log })
const url = running.url ?? ''
after(async () => {
  await running.stop()
  await folder[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** It knows of no database: what it says can only come from the server. */
const REMOTE = { WOMBAT_SERVER: url, WOMBAT_ADMIN_TOKEN: TOKEN, DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' }

function remote(args: readonly string[], env: Readonly<Record<string, string>> = REMOTE): Promise<Finished> {
  return callCli(args, { folder: folder.path, env })
}

function local(args: readonly string[]): Promise<Finished> {
  return callCli(args, { folder: folder.path, env: { DATABASE_URL: database.url } })
}

async function json(args: readonly string[]) {
  const { code, stdout, stderr } = await remote([...args, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function order(apiKey: string, numImages: number): Promise<string[]> {
  const response = await fetch(`${url}/api/image-generation/`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'wombat', numImages }),
  })
  assert.equal(response.status, 200)
  const images = (await response.json()) as { url: string }[]
  return images.map((image) => image.url.replace(/^.*\/|\.jpg$/g, ''))
}

/** The same command both ways; the two must be told apart by nothing. */
async function same(...args: readonly string[]): Promise<Finished> {
  const [there, here] = await Promise.all([remote(args), local(args)])
  assert.deepEqual(readable(there), readable(here), args.join(' '))
  return there
}

/** The order of names in JSON says nothing. */
function readable({ stdout, ...rest }: Finished) {
  return { ...rest, stdout: stdout.startsWith('{') ? JSON.parse(stdout) : stdout }
}

describe('on a distant server', { timeout: 240_000 }, () => {
  test('what is read is the same as on the database, as text and as JSON', async () => {
    const made = await json(['account', 'create', '--name', 'Ann', '--plan', 'professional', '--credits', '50'])
    assert.deepEqual(Object.keys(made), ['accountId', 'apiKey', 'plan', 'balance'])
    assert.deepEqual([made.plan, made.balance], ['professional', 50])
    const [image = ''] = await order(made.apiKey, 2)
    await json(['key', 'create', made.accountId, '--name', 'second', '--expires', '2099-01-01'])
    await json(['account', 'create', '--name', 'Bob', '--rate-limit', '7'])
    // A text shows times and words, JSON every field; each kind of answer is compared in one of them at least.
    for (const args of [
      ['account', 'list'],
      ['account', 'show', made.accountId, '--json'],
      ['key', 'list', made.accountId],
      ['ledger', 'show', made.accountId],
      ['ledger', 'verify', '--json'],
      ['image', 'list', '--account', made.accountId, '--status', 'queued', '--limit', '1'],
      ['image', 'list', '--json'],
      ['image', 'show', image],
      ['image', 'show', image, '--json'],
      ['usage', '--by', 'key', '--account', made.accountId, '--since', '2020-01-01', '--json'],
      ['route', 'list', '--json'],
    ]) {
      await same(...args)
    }
    const { stdout } = await same('usage', '--by', 'account', '--csv')
    assert.match(stdout, new RegExp(`^${made.accountId},Ann,2,`, 'm'))
  })

  test('what is changed is changed there, and the log says by which token', async () => {
    const { accountId, apiKey } = await json(['account', 'create', '--name', 'Carol', '--credits', '10'])
    const { keyId } = await json(['key', 'create', accountId])
    assert.deepEqual(await json(['key', 'revoke', keyId]), { keyId, revoked: true })
    const booking = ['credit', 'grant', accountId, '5', '--ref', 'invoice 7']
    assert.deepEqual(await json(booking), { accountId, credits: 5, balance: 15, ref: 'invoice 7', repeated: false })
    assert.equal((await json(booking)).repeated, true)
    assert.equal((await json(['credit', 'adjust', accountId, '-3'])).balance, 12)
    const [first = '', second = ''] = await order(apiKey, 3)
    assert.deepEqual(await json(['image', 'retry', first]), { imageId: first, status: 'queued' })
    assert.deepEqual(await json(['image', 'erase', second, '--yes']), {
      imageId: second,
      done: 'refunded',
      promptErased: false,
    })
    assert.deepEqual(await json(['account', 'disable', accountId]), { accountId, disabled: true })
    assert.deepEqual(await json(['account', 'enable', accountId]), { accountId, disabled: false })
    assert.deepEqual(await json(['account', 'erase', accountId, '--disable', '--yes']), {
      accountId,
      refunded: 2,
      removed: 0,
      forgotten: 1,
      complete: true,
      disabled: true,
    })
    await running.engine.db.prisma.routeState.create({
      data: { route: 'synthetic', state: 'parked', reason: 'x', openUntil: new Date(Date.now() + 3_600_000) },
    })
    assert.deepEqual(await json(['route', 'resume', 'synthetic']), { route: 'synthetic', resumed: true })

    const entries = await running.engine.db.prisma.auditEntry.findMany({ orderBy: { id: 'asc' } })
    assert.deepEqual(new Set(entries.map(({ actor }) => actor)), new Set(['deploy']))
    const actions = entries.filter(({ subject }) => [accountId, keyId, first, second, 'synthetic'].includes(subject))
    assert.deepEqual(
      actions.map(({ action }) => action),
      [
        'account.create',
        'key.create',
        'key.revoke',
        'credit.grant',
        'credit.adjust',
        'image.retry',
        'image.erase',
        'account.disable',
        'account.enable',
        'account.erase',
        'account.erased',
        'route.resume',
      ],
    )
    await local(['account', 'disable', accountId])
    const last = await running.engine.db.prisma.auditEntry.findFirstOrThrow({ orderBy: { id: 'desc' } })
    assert.deepEqual([last.action, last.subject], ['account.disable', accountId])
    assert.match(last.actor, /^cli:\S+$/)
  })

  test('what is not there, and what can not be done, ends as on the database', async () => {
    const { accountId, apiKey } = await json(['account', 'create', '--name', 'Dave', '--credits', '3'])
    const [image = ''] = await order(apiKey, 1)
    await json(['image', 'erase', image, '--yes'])
    await json(['credit', 'grant', accountId, '1', '--ref', 'taken'])
    const NOT_THERE = [
      ['account', 'show', NOBODY],
      ['account', 'disable', NOBODY],
      ['account', 'erase', NOBODY, '--yes'],
      ['key', 'create', NOBODY],
      ['key', 'revoke', NOBODY],
      ['credit', 'grant', NOBODY, '1'],
      ['ledger', 'show', NOBODY],
      ['usage', '--account', NOBODY],
      ['image', 'retry', 'v2-aaaaaaaaa-bbbbbbbbb'],
      ['image', 'erase', 'v2-aaaaaaaaa-bbbbbbbbb', '--yes'],
      ['route', 'resume', 'nowhere'],
    ]
    for (const args of NOT_THERE) {
      assert.equal((await same(...args)).code, 5)
    }
    for (const args of [
      ['credit', 'adjust', accountId, '-9'],
      ['credit', 'grant', accountId, '2', '--ref', 'taken'],
      ['image', 'retry', image],
    ]) {
      assert.equal((await same(...args)).code, 6)
    }
  })
})

describe('getting there', { timeout: 180_000 }, () => {
  test('options win over the environment', async () => {
    const args = ['account', 'list', '--server', `${url}/`, '--token', TOKEN]
    const { code, stderr } = await remote(args, {
      ...REMOTE,
      WOMBAT_SERVER: 'http://127.0.0.1:1',
      WOMBAT_ADMIN_TOKEN: 'x',
    })
    assert.equal(code, 0, stderr)
  })

  test('a wrong token, a server that is not there, and one without an admin API are told apart', async () => {
    const wrong = await remote(['account', 'list'], { ...REMOTE, WOMBAT_ADMIN_TOKEN: 'wrong' })
    assert.deepEqual([wrong.code, wrong.stdout], [3, ''])
    assert.equal(wrong.stderr, `wombat: The server at ${url} does not take this token.\n`)
    const nowhere = await remote(['account', 'list'], { ...REMOTE, WOMBAT_SERVER: 'http://127.0.0.1:1' })
    assert.equal(nowhere.code, 4)
    assert.match(nowhere.stderr, /could not be reached/)

    const missing = { status: 404, body: '{"error":"x","message":"x","code":"not_found","requestId":"1"}' }
    for (const { status, body } of [
      missing,
      { status: 200, body: '<html>' },
      { status: 200, body: '{"items":[{}]}' },
    ]) {
      const other = createServer((_request, response) => response.writeHead(status).end(body))
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      try {
        const at = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
        for (const args of [
          ['account', 'list'],
          ['account', 'show', NOBODY],
        ]) {
          const { code, stdout, stderr } = await remote(args, { ...REMOTE, WOMBAT_SERVER: at })
          assert.deepEqual([code, stdout], [4, ''], stderr)
          assert.match(stderr, /^wombat: There is no admin API at http:/)
        }
      } finally {
        other.closeAllConnections()
        other.close()
      }
    }
  })

  test('the token goes to no other server, and nobody is redirected with it', async () => {
    const seen: (string | undefined)[] = []
    const other = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(307, { location: `${url}/admin/v1/accounts` }).end()
    })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    try {
      const at = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
      const { code } = await remote(['account', 'list'], { ...REMOTE, WOMBAT_SERVER: at })
      assert.equal(code, 4)
      assert.deepEqual(seen, [`Bearer ${TOKEN}`])
    } finally {
      other.closeAllConnections()
      other.close()
    }
  })

  test('what is missing or makes no sense is said before anything is asked', async () => {
    const { WOMBAT_ADMIN_TOKEN: _, ...tokenless } = REMOTE
    for (const [args, env, message] of [
      [['account', 'list'], tokenless, /the token is missing: set WOMBAT_ADMIN_TOKEN/],
      [['account', 'list', '--server', 'ftp://x'], REMOTE, /is no address/],
      [['account', 'list', '--token', TOKEN], { DATABASE_URL: database.url }, /of no use without a server/],
      [['doctor', '--server', url], REMOTE, /unknown option '--server'/],
    ] as const) {
      const { code, stderr } = await remote(args, env)
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.doesNotMatch(stderr, new RegExp(TOKEN))
    }
  })
})
