/** Plans, and what accounts and keys may do, at the command line. */
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
  return JSON.parse(stdout)
}

async function refused(exitCode: number, says: RegExp, ...args: string[]): Promise<void> {
  const { code, stderr } = await wombat(...args)
  assert.equal(code, exitCode, stderr)
  assert.match(stderr, says)
}

const NO_LIMITS = {
  models: [],
  rateLimitPerMinute: null,
  concurrency: null,
  deadlineHours: null,
  deleteAfterDays: null,
}

test('a plan is made, shown, changed, and deleted when no account is on it any more', async () => {
  const limits = ['--models', 'gpt-image-2,standard', '--concurrency', '4', '--deadline-hours', '0.5']
  const { createdAt, ...made } = await json('plan', 'create', 'gold', '--professional', ...limits)
  assert.ok(Date.parse(createdAt) <= Date.now())
  const gold = {
    ...NO_LIMITS,
    name: 'gold',
    professional: true,
    models: ['gpt-image-2', 'standard'],
    concurrency: 4,
    deadlineHours: 0.5,
    accounts: 0,
  }
  assert.deepEqual(made, gold)
  await refused(6, /there is a plan gold already/, 'plan', 'create', 'gold')
  await refused(2, /"premiun" is no model: they are gpt-image-2, /, 'plan', 'create', 'other', '--models', 'premiun')

  const change = [
    '--no-professional',
    '--models',
    'none',
    '--concurrency',
    'none',
    '--rate-limit',
    '9',
    '--delete-after-days',
    '30',
  ]
  const { createdAt: _, ...changed } = await json('plan', 'set', 'gold', ...change)
  const silver = {
    ...gold,
    ...NO_LIMITS,
    professional: false,
    deadlineHours: 0.5,
    rateLimitPerMinute: 9,
    deleteAfterDays: 30,
  }
  assert.deepEqual(changed, silver)
  await refused(2, /there is nothing to set/, 'plan', 'set', 'gold')
  await refused(5, /there is no plan lead: `wombat plan list` shows them/, 'plan', 'set', 'lead', '--professional')

  const account = await json('account', 'create', '--name', 'Ann', '--plan', 'gold')
  assert.equal(account.plan, 'gold')
  await refused(6, /1 account is on the plan gold: put them on another one/, 'plan', 'delete', 'gold')
  const { plans } = await json('plan', 'list')
  assert.deepEqual(
    plans.map(({ name, professional, accounts }: Record<string, unknown>) => [name, professional, accounts]),
    [
      ['basic', false, 0],
      ['professional', true, 0],
      ['gold', false, 1],
    ],
  )
  assert.match((await wombat('plan', 'show', 'gold')).stdout, /images kept for days +30\n/)

  const moved = await json('account', 'set', account.accountId, '--plan', 'basic', '--rate-limit', '7')
  assert.deepEqual([moved.plan, moved.rateLimitPerMinute], ['basic', 7])
  assert.equal((await json('account', 'set', account.accountId, '--rate-limit', 'none')).rateLimitPerMinute, null)
  assert.deepEqual(await json('plan', 'delete', 'gold'), { plan: 'gold', deleted: true })
  await refused(5, /there is no plan gold/, 'plan', 'delete', 'gold')
})

test('an account is on a plan that there is', async () => {
  await refused(5, /there is no plan lead/, 'account', 'create', '--name', 'A', '--plan', 'lead')
  assert.deepEqual(
    (await json('account', 'list')).accounts.filter(({ name }: { name: string }) => name === 'A'),
    [],
  )
  const { accountId } = await json('account', 'create', '--name', 'B')
  await refused(5, /there is no plan lead/, 'account', 'set', accountId, '--plan', 'lead')
  await refused(5, /there is no account/, 'account', 'set', NOBODY, '--plan', 'basic')
  await refused(2, /there is nothing to set/, 'account', 'set', accountId)
})

test('the limits of a key are given at its making or later, shown, and taken away with none', async () => {
  const { accountId } = await json('account', 'create', '--name', 'Bob')
  const { keyId } = await json(
    ...['key', 'create', accountId, '--daily-budget', '10', '--monthly-budget', '100', '--models', 'gpt-image-2'],
    ...['--qualities', 'fast,medium', '--sizes', '1024x1024', '--networks', '10.0.0.0/8,2001:db8::/32'],
  )
  const find = async () => {
    const { keys } = await json('key', 'list', accountId)
    return keys.find((key: { keyId: string }) => key.keyId === keyId)
  }
  const { dailyBudget, monthlyBudget, models, qualities, sizes, networks } = await find()
  assert.deepEqual(
    [dailyBudget, monthlyBudget, models, qualities, sizes, networks],
    [10, 100, ['gpt-image-2'], ['fast', 'medium'], ['1024x1024'], ['10.0.0.0/8', '2001:db8::/32']],
  )
  const { stdout } = await wombat('key', 'list', accountId)
  assert.match(
    stdout,
    /10 credits a day; 100 credits a month; gpt-image-2; fast, medium; 1024x1024; from 10\.0\.0\.0\/8, 2001:db8::\/32/,
  )

  const changed = await json(
    ...['key', 'set', keyId, '--daily-budget', 'none', '--models', 'none', '--networks', 'none', '--rate-limit', '5'],
    ...['--expires', '30d', '--name', 'narrow'],
  )
  assert.deepEqual(
    [
      changed.dailyBudget,
      changed.monthlyBudget,
      changed.models,
      changed.networks,
      changed.rateLimitPerMinute,
      changed.name,
    ],
    [null, 100, [], [], 5, 'narrow'],
  )
  assert.ok(Date.parse(changed.expiresAt) > Date.now())
  assert.equal((await json('key', 'set', keyId, '--expires', 'none')).expiresAt, null)
  assert.deepEqual((await find()).qualities, ['fast', 'medium'])

  await refused(2, /"10\.0\.0\.0\/33" is no network/, 'key', 'set', keyId, '--networks', '10.0.0.0/33')
  await refused(
    2,
    /"fastest" is no quality.*"2x2" is no size/,
    'key',
    'set',
    keyId,
    '--qualities',
    'fastest',
    '--sizes',
    '2x2',
  )
  await refused(2, /there is nothing to set/, 'key', 'set', keyId)
  await refused(5, /there is no key/, 'key', 'set', NOBODY, '--daily-budget', '1')
})
