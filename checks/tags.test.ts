/** X-Wombat-Tags, from the POST to the reports. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { failImage, verifyLedger } from '@wombat/ledger'
import { createTemporaryDirectory } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import { finishNow, idOf, query } from './image-tools.ts'
import { startTestServer } from './server-fixture.ts'

const server = await startTestServer({ role: 'api' })
const folder = await createTemporaryDirectory()
after(async () => {
  await folder[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

function wombat(...args: string[]) {
  return callCli(args, { folder: folder.path, env: { DATABASE_URL: server.databaseUrl, ...server.parts } })
}

async function json(...args: string[]) {
  const { code, stdout, stderr } = await wombat(...args, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function order(tags: string | undefined, fields: Readonly<Record<string, unknown>> = {}, more = {}) {
  const headers = { ...(tags === undefined ? {} : { 'X-Wombat-Tags': tags }), ...more }
  const answer = await server.post({ prompt: 'wombat', enhancePrompt: 'off', ...fields }, { headers })
  return answer.images.map(({ url }) => idOf(url))
}

async function tagsOf(id: string | undefined): Promise<unknown> {
  const rows = await query(
    server.databaseUrl,
    'SELECT r.tags FROM requests r JOIN images i ON i.request_id = r.id WHERE i.id = $1',
    [id],
  )
  return rows[0]?.tags
}

describe('X-Wombat-Tags', { timeout: 60_000 }, () => {
  test('is kept with the request and shown with its images', async () => {
    const [id = '', second] = await order('team=acme, project= x=1 ', { numImages: 2 })
    assert.deepEqual(await tagsOf(id), { team: 'acme', project: 'x=1' })
    assert.deepEqual(await tagsOf(second), { team: 'acme', project: 'x=1' })
    assert.deepEqual((await json('image', 'show', id)).tags, { team: 'acme', project: 'x=1' })
    assert.match((await wombat('image', 'show', id)).stdout, /^tags +(team=acme, project=x=1|project=x=1, team=acme)$/m)
  })

  test('without it, or with nothing in it, there are none', async () => {
    for (const tags of [undefined, '', ' ']) {
      const [id = ''] = await order(tags)
      assert.equal(await tagsOf(id), null)
      assert.deepEqual((await json('image', 'show', id)).tags, {})
      assert.doesNotMatch((await wombat('image', 'show', id)).stdout, /^tags/m)
    }
  })

  test('what is none is a 400 that names the header, charges nothing and comes after 401 and before 402', async () => {
    const before = await server.balance()
    const eleven = Array.from({ length: 11 }, (_, n) => `t${n}=x`).join(',')
    for (const tags of [
      'team',
      'Team=a',
      'team=',
      'team=a,team=b',
      'team=a,',
      `a=${'x'.repeat(65)}`,
      eleven,
      'a=\xe9',
    ]) {
      const answer = await server.post({ prompt: 'wombat' }, { headers: { 'X-Wombat-Tags': tags } })
      assert.deepEqual([answer.status, answer.error.code], [400, 'invalid_request'], tags)
      assert.equal(answer.error.details?.field, 'X-Wombat-Tags')
      assert.match(answer.error.error, /^The header X-Wombat-Tags takes pairs such as team=acme/)
    }
    assert.equal(await server.balance(), before)
    const headers = { 'X-Wombat-Tags': 'team' }
    assert.equal((await server.post({ prompt: 'wombat' }, { key: null, headers })).status, 401)
    const poor = await server.createAccount({ credits: 0 })
    assert.equal((await server.post({ prompt: 'wombat' }, { key: poor.apiKey, headers })).status, 400)
  })

  test('is no part of what an Idempotency-Key stands for: the tags of the first request stay', async () => {
    const key = { 'Idempotency-Key': 'tags-1' }
    const [first] = await order('team=first', {}, key)
    const [again] = await order('team=again', {}, key)
    assert.equal(again, first)
    assert.deepEqual(await tagsOf(first), { team: 'first' })
  })

  test('a browser may send it', async () => {
    const answer = await server.get('/api/image-generation/', { method: 'OPTIONS' })
    assert.match(answer.headers.get('access-control-allow-headers') ?? '', /, X-Wombat-Tags/)
  })
})

describe('wombat usage --by tag:NAME', { timeout: 60_000 }, () => {
  test('has a line for each value, one for what is without it, and adds up to the ledger', async () => {
    await query(server.databaseUrl, `UPDATE requests SET tags = NULL`)
    const [ready = ''] = await order('team=acme, project=x1', { quality: 'high' })
    await finishNow(server.engine, ready, 'image/jpeg')
    const [failed = ''] = await order('team=acme', { quality: 'medium' })
    await failImage(server.db, { imageId: failed, fence: undefined, code: 'generation_deadline', message: '' })
    await order("team=o'hara")
    const { by, lines, total } = await json('usage', '--by', 'tag:team')
    assert.equal(by, 'tag:team')
    const figures = lines.map((line: Record<string, unknown>) => {
      return [line.tag, line.value, line.ordered, line.ready, line.failed, line.creditsNet]
    })
    const rest = total.ordered - 3
    assert.deepEqual(figures, [
      ['team', null, rest, 0, 0, rest],
      ['team', 'acme', 2, 1, 1, 20],
      ['team', "o'hara", 1, 0, 0, 1],
    ])
    assert.deepEqual(total, (await json('usage')).total)
    const account = await server.createAccount()
    assert.deepEqual((await json('usage', '--by', 'tag:team', '--account', account.accountId)).lines, [])
  })

  test('for people and as CSV', async () => {
    const { stdout } = await wombat('usage', '--by', 'tag:project')
    assert.match(stdout, /^VALUE OF TAG +ORDERED /)
    assert.match(stdout, /^x1 +1 +1 +0 +20 +0 +20 /m)
    assert.match(stdout, /^without it +\d/m)
    const csv = await wombat('usage', '--by', 'tag:project', '--csv')
    assert.match(csv.stdout, /^tag,value,ordered,/)
    assert.match(csv.stdout, /^project,x1,1,1,0,20,0,20,/m)
  })

  test('2 for what is no name', async () => {
    for (const by of ['tag:', 'tag:Team', "tag:a'b", 'tag', 'colour']) {
      const { code, stderr } = await wombat('usage', '--by', by)
      assert.equal(code, 2, by)
      assert.match(stderr, /--by/)
    }
  })

  test('the ledger is sound', async () => {
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})
