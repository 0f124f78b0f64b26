import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Operator, openOperator } from '@wombat/engine'
import {
  createTemporaryDirectory,
  createTestDatabase,
  type TemporaryDirectory,
  type TestDatabase,
} from '@wombat/testing'
import { callCli } from './call-cli.ts'
import type { Finished } from './run-cli.ts'

let database: TestDatabase
let folder: TemporaryDirectory
let operator: Operator

before(async () => {
  database = await createTestDatabase()
  folder = await createTemporaryDirectory()
  operator = await openOperator(database.url)
})

after(async () => {
  await operator.close()
  await folder[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const KEYS = { OPENAI_API_KEY: 'sk-check', LEONARDO_API_KEY: 'one,two', LEONARDO_CONCURRENCY: '3' }

function wombat(args: readonly string[], env: Readonly<Record<string, string>> = KEYS): Promise<Finished> {
  return callCli(args, { folder: folder.path, env: { DATABASE_URL: database.url, ...env } })
}

async function list(env?: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await wombat(['route', 'list', '--json'], env)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout).routes
}

let statements = 0

async function sql(text: string) {
  statements += 1
  await operator.db.run({ name: `route-test-${statements}`, text }, [])
}

describe('wombat route', { timeout: 60_000 }, () => {
  test('lists what the settings have, and what draws the rest', async () => {
    const routes = await list()
    const unused = { state: 'unused', until: null, failures: 0, busy: 0, reason: null, changedAt: null }
    assert.deepEqual(routes, [
      { route: 'openai', adapter: 'openai', models: ['gpt-image-2'], concurrency: 8, ...unused },
      { route: 'leonardo-1', adapter: 'leonardo', models: ['standard', 'premium'], concurrency: 3, ...unused },
      { route: 'leonardo-2', adapter: 'leonardo', models: ['standard', 'premium'], concurrency: 3, ...unused },
      {
        route: 'synthetic',
        adapter: 'synthetic',
        models: ['ideogram-3.0', 'nano-banana-2'],
        concurrency: 16,
        ...unused,
      },
    ])
    const always = await list({ ...KEYS, SYNTHETIC: 'always' })
    assert.deepEqual(
      always.map(({ route, models }: { route: string; models: string[] }) => [route, models.length]),
      [
        ['openai', 0],
        ['leonardo-1', 0],
        ['leonardo-2', 0],
        ['synthetic', 5],
      ],
    )
    const { stdout, stderr } = await wombat(['route', 'list'])
    assert.match(stdout, /^openai +openai +gpt-image-2 +not used yet +0 +0 of 8$/m)
    assert.doesNotMatch(stdout + stderr, /sk-check|one|two/)
  })

  test('says in plain words what keeps a route from use, and for how long', async () => {
    await sql(`INSERT INTO route_states (route, state, failures, open_until, paused_until, reason) VALUES
      ('openai', 'parked', 1, '2100-01-01T00:00Z', NULL, 'credentials: OpenAI answered 401'),
      ('leonardo-1', 'open', 5, '2100-01-01T00:00Z', '2100-01-02T00:00Z', 'transient: no answer'),
      ('leonardo-2', 'open', 6, now() - interval '1 s', NULL, E'transient:\u001b[2J'),
      ('synthetic', 'closed', 2, NULL, '2100-01-01T00:00Z', NULL),
      ('an-old-one', 'closed', 0, NULL, now() - interval '1 s', NULL)`)
    await sql(`INSERT INTO accounts (id, name, plan) VALUES ('3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', 'a', 'basic')`)
    await sql(`INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt,
        is_enhanced) VALUES ('3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01',
        '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', 'standard', 'fast', 'none', false, 64, 64, 'x', false)`)
    await sql(`INSERT INTO images (id, request_id, account_id, position, model, status, lease_owner, lease_until,
        deadline_at, route)
      SELECT 'v2-aaaaaaaaa-aaaaaaaa' || n, '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01', '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01',
        n, 'standard', 'generating', 'x', now() + interval '1 h', now() + interval '1 h',
        CASE n WHEN 0 THEN 'an-old-one' ELSE 'synthetic' END
      FROM generate_series(0, 2) AS n`)

    const routes = await list()
    assert.deepEqual(
      routes.map(({ route, adapter, state, until, failures, busy }: Record<string, unknown>) => [
        route,
        adapter,
        state,
        until,
        failures,
        busy,
      ]),
      [
        ['openai', 'openai', 'parked', '2100-01-01T00:00:00.000Z', 1, 0],
        ['leonardo-1', 'leonardo', 'down', '2100-01-02T00:00:00.000Z', 5, 0],
        ['leonardo-2', 'leonardo', 'down', null, 6, 0],
        ['synthetic', 'synthetic', 'paused', '2100-01-01T00:00:00.000Z', 2, 2],
        ['an-old-one', null, 'in_use', null, 0, 1],
      ],
    )
    const { stdout } = await wombat(['route', 'list'], { ...KEYS, TZ: 'UTC' })
    assert.match(stdout, /^openai .* parked until 2100-01-01 00:00:00 +1 +0 of 8 +credentials: OpenAI answered 401$/m)
    assert.match(stdout, /^leonardo-1 .* down until 2100-01-02 00:00:00 +5 /m)
    assert.match(stdout, /^leonardo-2 .* down; the next call tries it +6 +0 of 3 +transient: \[2J$/m)
    assert.match(stdout, /^synthetic .* paused until 2100-01-01 00:00:00 +2 +2 of 16$/m)
    assert.match(stdout, /^an-old-one +none +not configured +0 +1$/m)
  })

  test('an image that waits for its routes says for which, and when it is tried next', async () => {
    const id = 'v2-aaaaaaaaa-aaaaaaaa0'
    await sql(`UPDATE images SET status = 'queued', route = NULL, lease_owner = NULL, lease_until = NULL,
      due_at = '2030-01-01T00:00Z' WHERE id = '${id}'`)
    const show = async () => JSON.parse((await wombat(['image', 'show', id, '--json'])).stdout)
    const both = await show()
    assert.deepEqual(
      both.waitsFor.map(({ route, state, until }: Record<string, unknown>) => [route, state, until]),
      [
        ['leonardo-1', 'down', '2100-01-02T00:00:00.000Z'],
        ['leonardo-2', 'down', null],
      ],
    )
    assert.equal(both.nextTryAt, '2030-01-01T00:00:00.000Z', 'the second route takes a call as soon as it is due')
    // An upstream that is at it is asked again, and no other.
    await sql(`INSERT INTO attempts (image_id, fence, provider, is_paid, route, job_id)
      VALUES ('${id}', 1, 'leonardo', true, 'leonardo-1', 'job')`)
    const bound = await show()
    assert.deepEqual(
      bound.waitsFor.map(({ route }: { route: string }) => route),
      ['leonardo-1'],
    )
    assert.equal(bound.nextTryAt, '2100-01-02T00:00:00.000Z')
    const { stdout } = await wombat(['image', 'show', id], { ...KEYS, TZ: 'UTC' })
    assert.match(stdout, /^waits for +leonardo-1, down until 2100-01-02 00:00:00: transient: no answer$/m)
    assert.match(stdout, /^next try +2100-01-02 00:00:00$/m)
    await sql(`UPDATE images SET due_at = now() WHERE id = '${id}'`)
    await sql(
      `UPDATE route_states SET state = 'closed', open_until = NULL, paused_until = NULL WHERE route = 'leonardo-1'`,
    )
    const free = await wombat(['image', 'show', id])
    assert.match(free.stdout, /^next try +as soon as a call is free for it$/m)
    assert.doesNotMatch(free.stdout, /^waits for/m)
  })

  test('resumes a route, and what waits because of it is due at once', async () => {
    await sql(`UPDATE images SET status = 'queued', route = 'openai', lease_owner = NULL, lease_until = NULL,
      due_at = now() + interval '1 h' WHERE id = 'v2-aaaaaaaaa-aaaaaaaa1'`)
    const { code, stdout } = await wombat(['route', 'resume', 'openai'])
    assert.equal(code, 0)
    assert.match(stdout, /^The route openai is in use; .*\n$/)
    const [openai] = await list()
    const { state, until, failures, reason } = openai
    assert.deepEqual({ state, until, failures, reason }, { state: 'in_use', until: null, failures: 0, reason: null })
    const image = await wombat(['image', 'show', 'v2-aaaaaaaaa-aaaaaaaa1', '--json'])
    assert.ok(Date.parse(JSON.parse(image.stdout).dueAt) <= Date.now())

    const old = await wombat(['route', 'resume', '--route', 'an-old-one', '--json'])
    assert.deepEqual(JSON.parse(old.stdout), { route: 'an-old-one', resumed: true })
  })

  test('has nothing to resume of a route that was never used, and 5 for one that is not there', async () => {
    const koala = { ...KEYS, KOALA_API_KEY: 'k' }
    const { code, stdout } = await wombat(['route', 'resume', 'koala-standard'], koala)
    assert.equal(code, 0)
    assert.equal(stdout, 'The route koala-standard was never used: there is nothing to resume.\n')
    const asJson = await wombat(['route', 'resume', 'koala-standard', '--json'], koala)
    assert.deepEqual(JSON.parse(asJson.stdout), { route: 'koala-standard', resumed: false })

    const unknown = await wombat(['route', 'resume', 'koala'])
    assert.equal(unknown.code, 5)
    assert.equal(unknown.stdout, '')
    assert.equal(unknown.stderr, 'wombat: there is no route koala: `wombat route list` shows them\n')
  })

  test('an image shows the route and the time of each call', async () => {
    await sql(`INSERT INTO attempts (image_id, fence, provider, is_paid, route, outcome, finished_at, latency_ms, cost_micro_usd)
      VALUES ('v2-aaaaaaaaa-aaaaaaaa2', 1, 'leonardo', true, 'leonardo-2', 'unknown', now(), 1234, 5000),
             ('v2-aaaaaaaaa-aaaaaaaa2', 2, 'synthetic', false, NULL, 'done', now(), NULL, NULL)`)
    const { stdout } = await wombat(['image', 'show', 'v2-aaaaaaaaa-aaaaaaaa2'])
    assert.match(stdout, /^ATTEMPT +ROUTE +PROVIDER +OUTCOME +TOOK +LATENCY +COST +REASON$/m)
    assert.match(stdout, / {2}leonardo-2 +leonardo +unknown +-?0\.0 s +1,234 ms +\$0\.0050$/m)
    assert.match(stdout, /:\d\d +synthetic +done +-?0\.0 s$/m)
    const shown = await wombat(['image', 'show', 'v2-aaaaaaaaa-aaaaaaaa2', '--json'])
    assert.deepEqual(
      JSON.parse(shown.stdout).attempts.map(({ route, latencyMs }: Record<string, unknown>) => [route, latencyMs]),
      [
        ['leonardo-2', 1234],
        [null, null],
      ],
    )
  })
})
