import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  createTemporaryDirectory,
  createTestDatabase,
  type TemporaryDirectory,
  type TestDatabase,
} from '@wombat/testing'
import { callCli } from './call-cli.ts'
import type { Finished } from './run-cli.ts'

const NOBODY = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'
const UUID = /^[0-9a-f-]{36}$/

let database: TestDatabase
let folder: TemporaryDirectory

before(async () => {
  database = await createTestDatabase()
  folder = await createTemporaryDirectory()
})

after(async () => {
  await folder[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function wombat(...args: string[]): Promise<Finished> {
  return callCli(args, { folder: folder.path, env: { DATABASE_URL: database.url } })
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await wombat(...args, '--json')
  assert.equal(code, 0, stderr)
  assert.equal(stdout.split('\n').length, 2, 'one line')
  return JSON.parse(stdout)
}

test('an account is opened with its credits and a key that only this command shows', async () => {
  const made = await json('account', 'create', '--name', 'Ann', '--plan', 'professional', '--credits', '50')
  assert.deepEqual(Object.keys(made), ['accountId', 'apiKey', 'plan', 'balance'])
  assert.match(made.accountId, UUID)
  assert.match(made.apiKey, UUID)
  assert.equal(made.plan, 'professional')
  assert.equal(made.balance, 50)

  const key = await json('key', 'create', '--account', made.accountId)
  assert.deepEqual(Object.keys(key), ['keyId', 'apiKey'])

  const shown = await wombat('account', 'show', made.accountId)
  assert.match(shown.stdout, /balance +50 credits/)
  assert.match(shown.stdout, new RegExp(`…${made.apiKey.slice(-4)}`))
  assert.doesNotMatch(shown.stdout, new RegExp(`${made.apiKey}|${key.apiKey}`))

  assert.deepEqual(await json('key', 'revoke', key.keyId), { keyId: key.keyId, revoked: true })
  assert.deepEqual(await json('key', 'revoke', key.keyId), { keyId: key.keyId, revoked: true })
  const { keys } = await json('key', 'list', made.accountId)
  assert.deepEqual(
    keys.map(({ state }: { state: string }) => state),
    ['active', 'revoked'],
  )

  await json('account', 'disable', made.accountId)
  const { accounts } = await json('account', 'list')
  assert.deepEqual(
    accounts.map(({ accountId, balance, disabled, keys: active }: Record<string, unknown>) => ({
      accountId,
      balance,
      disabled,
      active,
    })),
    [{ accountId: made.accountId, balance: 50, disabled: true, active: 1 }],
  )
  assert.deepEqual(await json('account', 'enable', made.accountId), { accountId: made.accountId, disabled: false })
})

test('credits are booked once for a ref, and a balance never goes below zero', async () => {
  const { accountId } = await json('account', 'create', '--name', 'Bob')
  const granted = await json('credit', 'grant', '--account', accountId, '--credits', '10', '--ref', 'invoice 7')
  assert.deepEqual(granted, { accountId, credits: 10, balance: 10, ref: 'invoice 7', repeated: false })
  const again = await json('credit', 'grant', '--account', accountId, '--credits', '10', '--ref', 'invoice 7')
  assert.deepEqual(again, { accountId, credits: 10, balance: 10, ref: 'invoice 7', repeated: true })

  const other = await wombat('credit', 'grant', '--account', accountId, '--credits', '11', '--ref', 'invoice 7')
  assert.equal(other.code, 6)
  assert.match(other.stderr, /"invoice 7" was used/)

  assert.equal((await json('credit', 'adjust', accountId, '-4', '--note', 'typing error')).balance, 6)
  const tooMuch = await wombat('credit', 'adjust', '--account', accountId, '--credits', '-7', '--json')
  assert.equal(tooMuch.code, 6)
  assert.deepEqual(Object.keys(JSON.parse(tooMuch.stderr)), ['error', 'code'])
  assert.equal(JSON.parse(tooMuch.stderr).code, 'refused')

  const { entries, balance } = await json('ledger', 'show', accountId)
  assert.equal(balance, 6)
  assert.deepEqual(
    entries.map(({ kind, amount, balanceAfter, note }: Record<string, unknown>) => ({
      kind,
      amount,
      balanceAfter,
      note,
    })),
    [
      { kind: 'adjustment', amount: -4, balanceAfter: 6, note: 'typing error' },
      { kind: 'grant', amount: 10, balanceAfter: 10, note: '' },
    ],
  )
  const verified = await json('ledger', 'verify')
  assert.equal(verified.ok, true)
  assert.deepEqual(verified.faults, [])
})

test('what does not exist ends with 5 and says how to find what does', async () => {
  const missing = [
    ['account', 'show', NOBODY],
    ['account', 'disable', NOBODY],
    ['key', 'create', NOBODY],
    ['key', 'list', NOBODY],
    ['key', 'revoke', NOBODY],
    ['credit', 'grant', NOBODY, '1'],
    ['ledger', 'show', NOBODY],
    ['image', 'show', 'v2-aaaaaaaaa-bbbbbbbbb'],
    ['account', 'erase', NOBODY, '--yes'],
    ['image', 'erase', 'v2-aaaaaaaaa-bbbbbbbbb', '--yes'],
    ['route', 'resume', 'nowhere'],
    ['usage', '--account', NOBODY],
    ['image', 'retry', 'http://127.0.0.1:3000/api/image/v2-aaaaaaaaa-bbbbbbbbb.jpg?x=1'],
  ]
  const finished = await Promise.all(missing.map((args) => wombat(...args)))
  for (const [index, { code, stdout, stderr }] of finished.entries()) {
    assert.equal(code, 5, `${missing[index]?.join(' ')}: ${stderr}`)
    assert.equal(stdout, '')
    assert.match(stderr, /^wombat: there is no .*`wombat [a-z ]+( ACCOUNT)?` shows .*\n$/)
  }
})
