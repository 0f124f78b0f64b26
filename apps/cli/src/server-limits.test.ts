/** `--server` for plans, limits, cancelling, tags and webhooks; what needs the database itself says so. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { createLogger, readConfig } from '@wombat/engine'
import { runWombat } from '@wombat/server'
import { createTemporaryDirectory, createTestDatabase } from '@wombat/testing'
import { callCli } from './call-cli.ts'
import type { Finished } from './run-cli.ts'

const TOKEN = 'deploy-secret-0123456789abcdef'
const NOBODY = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'

const database = await createTestDatabase()
const folder = await createTemporaryDirectory()
/** How many signatures the messages to a webhook had. */
const signatures: number[] = []
const receiver = createServer((request, reply) => {
  signatures.push(String(request.headers['webhook-signature']).split(' ').length)
  request.resume().on('end', () => reply.writeHead(204).end())
})
await once(receiver.listen(0, '127.0.0.1'), 'listening')
const hookHost = `127.0.0.1:${(receiver.address() as AddressInfo).port}`
const hookUrl = `http://${hookHost}/hook`
const config = readConfig({
  PORT: '0',
  HOST: '127.0.0.1',
  LOG_LEVEL: 'silent',
  ADMIN_TOKEN: `deploy:${TOKEN}`,
  WEBHOOK_ALLOW_HOSTS: hookHost,
})
const log = await createLogger({ level: 'silent', format: 'json' })
const running = await runWombat(config, { databaseUrl: database.url, dataDir: folder.path, role: 'api', log })
const url = running.url ?? ''
after(async () => {
  await running.stop()
  receiver.close()
  receiver.closeAllConnections()
  await folder[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function remote(args: readonly string[]): Promise<Finished> {
  const env = { WOMBAT_SERVER: url, WOMBAT_ADMIN_TOKEN: TOKEN, DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' }
  return callCli(args, { folder: folder.path, env })
}

function local(args: readonly string[]): Promise<Finished> {
  return callCli(args, { folder: folder.path, env: { DATABASE_URL: database.url, WEBHOOK_ALLOW_HOSTS: hookHost } })
}

async function json(args: readonly string[], run = remote) {
  const { code, stdout, stderr } = await run([...args, '--json'])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

/** The same command both ways; the two must be told apart by nothing. */
async function same(exitCode: number, ...args: readonly string[]): Promise<Finished> {
  const [there, here] = await Promise.all([remote(args), local(args)])
  assert.deepEqual(there, here, args.join(' '))
  assert.equal(there.code, exitCode, there.stderr)
  return there
}

async function actionsOn(...subjects: readonly string[]) {
  const rows = await running.engine.db.prisma.auditEntry.findMany({
    where: { subject: { in: [...subjects] } },
    orderBy: { id: 'asc' },
  })
  return rows.map(({ actor, action }) => `${actor.replace(/^cli:.*/, 'cli')} ${action}`)
}

async function order(apiKey: string, numImages: number): Promise<string[]> {
  const response = await fetch(`${url}/api/image-generation/`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'x-wombat-tags': 'team=acme',
    },
    body: JSON.stringify({ prompt: 'wombat', numImages }),
  })
  assert.equal(response.status, 200)
  const images = (await response.json()) as { url: string }[]
  return images.map((image) => image.url.replace(/^.*\/|\.jpg$/g, ''))
}

test('plans', { timeout: 180_000 }, async () => {
  const gold = await json(['plan', 'create', 'gold', '--professional', '--models', 'gpt-image-2', '--concurrency', '4'])
  assert.deepEqual([gold.models, gold.concurrency, gold.deadlineHours, gold.accounts], [['gpt-image-2'], 4, null, 0])
  const set = await json([
    'plan',
    'set',
    'gold',
    '--models',
    'none',
    '--deadline-hours',
    '0.5',
    '--concurrency',
    'none',
  ])
  assert.deepEqual([set.professional, set.models, set.concurrency, set.deadlineHours], [true, [], null, 0.5])
  const { accountId } = await json(['account', 'create', '--name', 'Ann', '--plan', 'gold'])
  await same(0, 'plan', 'list')
  await same(0, 'plan', 'show', 'gold')
  await same(6, 'plan', 'create', 'gold')
  await same(6, 'plan', 'delete', 'gold')
  await same(6, 'plan', 'delete', 'basic')
  await same(5, 'plan', 'show', 'lead')
  await same(5, 'plan', 'set', 'lead', '--professional')
  await same(5, 'plan', 'delete', 'lead')
  await same(5, 'account', 'create', '--name', 'A', '--plan', 'lead')
  await same(5, 'account', 'set', accountId, '--plan', 'lead')
  await same(5, 'account', 'set', NOBODY, '--plan', 'basic')
  await same(2, 'account', 'set', accountId)
  const moved = await json(['account', 'set', accountId, '--plan', 'basic', '--rate-limit', '7', '--name', 'Anne'])
  assert.deepEqual([moved.plan, moved.rateLimitPerMinute, moved.name], ['basic', 7, 'Anne'])
  await json(['account', 'set', accountId, '--rate-limit', 'none'], local)
  assert.deepEqual(await json(['plan', 'delete', 'gold']), { plan: 'gold', deleted: true })
  assert.deepEqual(await actionsOn('gold', accountId), [
    'deploy plan.create',
    'deploy plan.change',
    'deploy account.create',
    'deploy account.change',
    'cli account.change',
    'deploy plan.delete',
  ])
})

test('limits of keys', { timeout: 120_000 }, async () => {
  const { accountId } = await json(['account', 'create', '--name', 'Bob'])
  const limits = ['--daily-budget', '10', '--models', 'gpt-image-2', '--networks', '10.0.0.1,2001:db8::/32']
  const { keyId } = await json(['key', 'create', accountId, '--expires', '30d', ...limits])
  const key = await running.engine.db.prisma.apiKey.findUniqueOrThrow({ where: { id: keyId } })
  assert.deepEqual(
    [key.dailyBudget, key.allowedModels, key.allowedNetworks, key.rateLimitPerMinute],
    [10, ['gpt-image-2'], ['10.0.0.1', '2001:db8::/32'], null],
  )
  assert.ok((key.expiresAt?.getTime() ?? 0) > Date.now())
  await same(0, 'key', 'list', accountId)
  const changed = await json(
    ['key', 'set', keyId, '--name', 'ci', '--expires', 'none', '--daily-budget', 'none', '--sizes', '1024x1024'],
    remote,
  )
  assert.deepEqual(
    [changed.name, changed.expiresAt, changed.dailyBudget, changed.sizes, changed.models],
    ['ci', null, null, ['1024x1024'], ['gpt-image-2']],
  )
  await json(['key', 'set', keyId, '--rate-limit', '5'], local)
  await same(5, 'key', 'set', NOBODY, '--daily-budget', '1')
  await same(2, 'key', 'set', keyId)
  await same(2, 'key', 'set', keyId, '--sizes', '2x2')
  assert.deepEqual(await actionsOn(keyId), ['deploy key.create', 'deploy key.change', 'cli key.change'])
})

test('cancelling, and usage by tags', { timeout: 120_000 }, async () => {
  const { accountId, apiKey } = await json(['account', 'create', '--name', 'Carol', '--credits', '10'])
  const [first = '', second = '', third = ''] = await order(apiKey, 3)
  assert.deepEqual(await json(['image', 'cancel', first]), { imageId: first, status: 'cancelled' })
  assert.deepEqual(await json(['image', 'cancel', second], local), { imageId: second, status: 'cancelled' })
  await same(0, 'image', 'cancel', first)
  await same(5, 'image', 'cancel', 'v2-aaaaaaaaa-bbbbbbbbb')
  const until = new Date(Date.now() + 3_600_000)
  const parked = { route: 'synthetic', state: 'parked', reason: 'credentials', openUntil: until }
  await running.engine.db.prisma.routeState.create({ data: parked })
  const { stdout: shown } = await same(0, 'image', 'show', third)
  assert.match(shown, /^waits for +synthetic, parked until .*: credentials\nnext try +\d{4}-/m)
  await running.engine.db.prisma.routeState.delete({ where: { route: 'synthetic' } })
  await json(['image', 'erase', third, '--yes'])
  await same(6, 'image', 'cancel', third)
  const { stdout } = await same(0, 'usage', '--by', 'tag:team', '--account', accountId)
  assert.match(stdout, /^acme +3 /m)
  await same(0, 'usage', '--by', 'tag:team', '--csv')
  assert.deepEqual(await actionsOn(first, second), ['deploy image.cancel', 'cli image.cancel'])
})

test('what needs the database itself says so', { timeout: 120_000 }, async () => {
  for (const args of [
    ['store', 'verify'],
    ['top', '--once'],
  ]) {
    const [name = '', second = ''] = args
    const command = name === 'top' ? name : `${name} ${second}`
    const byVariable = await remote(args)
    assert.deepEqual([byVariable.code, byVariable.stdout], [2, ''])
    assert.equal(
      byVariable.stderr,
      `wombat: \`wombat ${command}\` needs the database itself: unset WOMBAT_SERVER, and run it there (see \`wombat ${command} --help\`)\n`,
    )
    const byOption = await local([...args, '--token', TOKEN, '--server', url])
    assert.deepEqual([byOption.code, byOption.stdout], [2, ''])
    assert.equal(
      byOption.stderr,
      `wombat: \`wombat ${command}\` needs the database itself: run it there, without --server (see \`wombat ${command} --help\`)\n`,
    )
    assert.doesNotMatch(byOption.stderr, new RegExp(TOKEN))
  }
})

test('webhooks', { timeout: 180_000 }, async () => {
  const { accountId, apiKey } = await json(['account', 'create', '--name', 'Dave', '--credits', '10'])
  const { webhookId } = await json(['webhook', 'create', accountId, '--url', hookUrl])
  const one = [webhookId]
  assert.deepEqual((await json(['webhook', 'test', ...one])).httpStatus, 204)
  assert.equal((await json(['webhook', 'test', ...one], local)).httpStatus, 204)
  const second = await json(['webhook', 'rotate', ...one, '--overlap-hours', '1'])
  assert.ok(Math.abs(Date.parse(second.overlapUntil) - Date.now() - 3_600_000) < 60_000)
  await json(['webhook', 'rotate', ...one], local)
  await json(['webhook', 'rotate', ...one])
  await json(['webhook', 'test', ...one])
  assert.deepEqual(signatures, [1, 1, 4])
  await same(6, 'webhook', 'rotate', ...one)
  const [image = ''] = await order(apiKey, 1)
  await json(['image', 'cancel', image])
  const { deliveries } = await json(['webhook', 'deliveries', ...one])
  const [{ deliveryId, status }] = deliveries
  assert.equal(status, 'pending')
  await same(0, 'webhook', 'deliveries', ...one)
  assert.equal((await json(['webhook', 'disable', ...one])).state, 'disabled')
  await same(6, 'webhook', 'retry', deliveryId)
  assert.equal((await json(['webhook', 'enable', ...one], local)).state, 'active')
  assert.equal((await json(['webhook', 'retry', deliveryId])).status, 'pending')
  await same(0, 'webhook', 'show', ...one)
  await same(2, 'webhook', 'set', ...one, '--url', 'http://10.0.0.1/')
  await same(2, 'webhook', 'create', accountId, '--url', 'http://10.0.0.1/')
  const moved = await json(['webhook', 'set', ...one, '--url', 'https://shop.example.com/hook'])
  assert.equal(moved.url, 'https://shop.example.com/hook')
  await same(5, 'webhook', 'create', NOBODY, '--url', hookUrl)
  for (const command of ['show', 'retry']) {
    await same(5, 'webhook', command, NOBODY)
  }
  await json(['webhook', 'delete', ...one])
  assert.deepEqual(await actionsOn(webhookId, deliveryId), [
    'deploy webhook.create',
    'deploy webhook.rotate',
    'cli webhook.rotate',
    'deploy webhook.rotate',
    'deploy webhook.disable',
    'cli webhook.enable',
    'deploy delivery.retry',
    'deploy webhook.change',
    'deploy webhook.delete',
  ])
})
