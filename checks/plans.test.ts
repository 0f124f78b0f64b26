/** Plans as data: what each allows, and how soon a change of one is in force. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { changeAccount, changePlan, createPlan, deletePlan, type Plan } from '@wombat/accounts'
import { withClient } from '@wombat/database'
import { removeExpired } from '@wombat/engine'
import { claimImage, requeueImage } from '@wombat/images'
import { verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { CHECK_ROUTES, finishNow, idOf, modelOf, order, pathOf, query } from './image-tools.ts'
import { type SpawnedServer, spawnTestServer, startTestServer, type TestServer } from './server-fixture.ts'

const env = { GENERATION_DEADLINE_HOURS: 'basic=2,professional=4', DELETE_IMAGES_DAYS: 'basic=30' }
const server = await startTestServer({ role: 'api', env })
after(() => server[Symbol.asyncDispose]())
const second = await spawnTestServer({ role: 'api', beside: server, env })
after(() => second[Symbol.asyncDispose]())

const CAT = { prompt: 'cat' }
const never = new AbortController().signal

const OPEN: Omit<Plan, 'name'> = {
  isProfessional: true,
  models: [],
  rateLimitPerMinute: null,
  concurrency: null,
  deadlineHours: null,
  deleteAfterDays: null,
}

let plans = 0

/** A plan of its own for each test, and an account on it. */
async function createOn(fields: Partial<Omit<Plan, 'name'>>) {
  plans += 1
  const plan = `plan-${plans}`
  assert.equal(await createPlan(server.db, { ...OPEN, ...fields, name: plan }), true)
  return { plan, ...(await server.createAccount({ plan })) }
}

async function soon(one: TestServer | SpawnedServer, key: string, body: object, status: number): Promise<void> {
  const is = async () => (await one.post(body, { key })).status === status
  await until(is, { timeoutMs: 3_000, what: `a ${status}` })
}

describe('gates and models', () => {
  test('basic and professional are there from the start and pass the gates of the catalogue', async () => {
    const rows = await query(
      server.databaseUrl,
      'SELECT name, is_professional FROM plans WHERE name !~ $1 ORDER BY name',
      ['^plan-'],
    )
    assert.deepEqual(rows, [
      { name: 'basic', is_professional: false },
      { name: 'professional', is_professional: true },
    ])
  })

  test('a plan of any name passes them or does not, and the answer names it', async () => {
    const rich = await createOn({})
    assert.equal((await server.post({ ...CAT, quality: 'high' }, { key: rich.apiKey })).status, 200)
    const plain = await createOn({ isProfessional: false })
    assert.equal((await server.post(CAT, { key: plain.apiKey })).status, 200)
    const answer = await server.post({ ...CAT, quality: 'high' }, { key: plain.apiKey })
    assert.equal(answer.status, 403)
    assert.equal(answer.error.code, 'plan_required')
    assert.deepEqual(answer.error.details, { requiredPlan: 'professional', plan: plain.plan })
    assert.equal(
      answer.error.error,
      `gpt-image-2 at quality high needs the Professional Plan. On the plan ${plain.plan} you can use gpt-image-2 at quality fast, and standard.`,
    )
  })

  test('403 for a model that a plan does not have, with those that it has', async () => {
    const { plan, apiKey, accountId } = await createOn({ models: ['gpt-image-2', 'premium'] })
    const answer = await server.post({ ...CAT, model: 'standard' }, { key: apiKey })
    assert.equal(answer.status, 403)
    assert.equal(answer.error.code, 'plan_required')
    assert.equal(answer.error.error, `The plan ${plan} does not have the model standard. It has gpt-image-2, premium.`)
    assert.deepEqual(answer.error.details, { plan, model: 'standard', models: ['gpt-image-2', 'premium'] })
    assert.equal((await server.post({ ...CAT, model: 'premium' }, { key: apiKey })).status, 200)
    assert.equal(await server.balance(accountId), 995)
  })

  test('a change of a plan, or of the plan of an account, is in force at once in every process', async () => {
    const { plan, apiKey, accountId } = await createOn({})
    const high = { ...CAT, quality: 'high' }
    for (const one of [server, second]) {
      assert.equal((await one.post(high, { key: apiKey })).status, 200)
    }
    assert.equal(await changePlan(server.db, plan, { isProfessional: false }), true)
    await soon(second, apiKey, high, 403)
    await soon(server, apiKey, high, 403)
    assert.equal(await changeAccount(server.db, accountId, { plan: 'professional' }), true)
    await soon(second, apiKey, high, 200)
    await soon(server, apiKey, high, 200)
    assert.equal(await changePlan(server.db, 'no-such-plan', { models: [] }), false)
  })
})

describe('limits of a plan', () => {
  test('its rate counts for each key and for the account, unless these have their own', async () => {
    const { plan, apiKey, accountId } = await createOn({ rateLimitPerMinute: 2 })
    const statuses = async (key: string, count: number) => {
      const all = []
      for (let turn = 0; turn < count; turn += 1) {
        const { status, headers } = await server.post(CAT, { key })
        all.push([status, headers.get('ratelimit-limit')])
      }
      return all
    }
    assert.deepEqual(await statuses(apiKey, 3), [
      [200, '2'],
      [200, '2'],
      [429, '2'],
    ])
    const own = await server.createAccount({ plan, rateLimitPerMinute: 3 })
    assert.deepEqual((await statuses(own.apiKey, 4)).at(-1), [429, '3'])
    await changeAccount(server.db, accountId, { rateLimitPerMinute: 50 })
    await soon(server, apiKey, CAT, 200)
  })

  test('its deadline wins over the setting of its gate', async () => {
    const deadlineOf = async (account: { apiKey: string }) => {
      const { images } = await server.post(CAT, { key: account.apiKey })
      const [row] = await query(
        server.databaseUrl,
        `SELECT plan, extract(epoch FROM deadline_at - created_at)::float8 / 3600 AS hours FROM images WHERE id = $1`,
        [idOf(images[0]?.url ?? '')],
      )
      return Math.round(row?.hours * 1000) / 1000
    }
    assert.equal(await deadlineOf(await createOn({ deadlineHours: 0.5 })), 0.5)
    assert.equal(await deadlineOf(await createOn({})), 4)
    assert.equal(await deadlineOf(await createOn({ isProfessional: false })), 2)
  })

  test('each plan keeps images as long as it says; those of a deleted one as long as the plan of their account', async () => {
    const brief = await createOn({ deleteAfterDays: 1 })
    const basic = await createOn({ isProfessional: false })
    const long = await createOn({ isProfessional: false, deleteAfterDays: 365 })
    const lost = await createOn({ deleteAfterDays: 1 })
    const idsOf = async ({ apiKey }: { apiKey: string }) => {
      const { images } = await server.post(CAT, { key: apiKey })
      return idOf(images[0]?.url ?? '')
    }
    const ids = {
      brief: await idsOf(brief),
      basic: await idsOf(basic),
      long: await idsOf(long),
      lost: await idsOf(lost),
    }
    for (const id of Object.values(ids)) {
      await finishNow(server.engine, id, 'image/jpeg')
    }
    await query(
      server.databaseUrl,
      `UPDATE images SET finished_at = finished_at - interval '2 days' WHERE status = 'ready'`,
    )
    await changeAccount(server.db, lost.accountId, { plan: basic.plan })
    assert.equal(await deletePlan(server.db, lost.plan), true)
    assert.equal(await removeExpired(server.engine, never), 1)
    const statusOf = async (id: string) => (await server.get(pathOf(id))).status
    assert.equal(await statusOf(ids.brief), 410)
    assert.deepEqual(await Promise.all([ids.basic, ids.long, ids.lost].map(statusOf)), [200, 200, 200])
    await query(
      server.databaseUrl,
      `UPDATE images SET finished_at = finished_at - interval '29 days' WHERE status = 'ready'`,
    )
    assert.equal(await removeExpired(server.engine, never), 2)
    await until(async () => (await statusOf(ids.lost)) === 410, { what: 'the orphan is gone' })
    assert.equal(await statusOf(ids.long), 200)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
  })
})

describe('a plan in use', () => {
  test('is not deleted, and no account is on one that there is not', async () => {
    const { plan, accountId } = await createOn({})
    assert.equal(await deletePlan(server.db, plan), false)
    await assert.rejects(changeAccount(server.db, accountId, { plan: 'no-such-plan' }))
    await changeAccount(server.db, accountId, { plan: 'basic' })
    assert.equal(await deletePlan(server.db, plan), true)
    assert.equal(await deletePlan(server.db, plan), false)
    assert.equal(await createPlan(server.db, { ...OPEN, name: 'basic' }), false)
  })
})

describe('images in the making at once', { timeout: 60_000 }, () => {
  const claim = (model: string, imageId?: string) =>
    claimImage(server.db, { model, imageId, owner: 'check', leaseSeconds: 600, routes: CHECK_ROUTES })

  /** Nothing else may wait in the lanes that these tests look at. */
  async function emptyLanes(): Promise<void> {
    await withClient(server.databaseUrl, (client) =>
      client.query(`UPDATE images SET due_at = now() + interval '1 day' WHERE status = 'queued'`),
    )
  }

  async function accountsOf(claims: readonly ({ accountId: string } | undefined)[]) {
    return claims.flatMap((one) => one?.accountId ?? [])
  }

  test('are no more than the plan allows, over all models; others go on', async () => {
    await emptyLanes()
    const narrow = await createOn({ concurrency: 2 })
    const wide = await createOn({})
    const [first = ''] = await order({ post: (body) => server.post(body, { key: narrow.apiKey }) }, { numImages: 4 })
    await server.post({ ...CAT, model: 'standard', numImages: 2 }, { key: narrow.apiKey })
    await server.post({ ...CAT, numImages: 3 }, { key: wide.apiKey })
    const one = await claim(await modelOf(server.engine, first))
    const two = await claim('standard')
    assert.ok(one !== undefined && two !== undefined)
    const rest = [await claim('gpt-image-2'), await claim('gpt-image-2'), await claim('gpt-image-2')]
    const taken = await accountsOf([one, two, ...rest])
    assert.deepEqual(
      [narrow, wide].map(({ accountId }) => taken.filter((id) => id === accountId).length),
      [2, 3],
    )
    for (const model of ['gpt-image-2', 'standard']) {
      assert.equal(await claim(model), undefined)
    }
    assert.equal(await claim('gpt-image-2', first), undefined, 'not by its name either')
    // A place that is free again, and a plan that allows more.
    await requeueImage(server.db, { imageId: two.imageId, fence: two.fence, delayMs: 0 })
    assert.equal((await claim('standard'))?.accountId, narrow.accountId)
    assert.equal(await claim('standard'), undefined)
    await changePlan(server.db, narrow.plan, { concurrency: 3 })
    assert.equal((await claim('gpt-image-2'))?.accountId, narrow.accountId)
    assert.equal(await claim('gpt-image-2'), undefined)
  })

  test('are counted by two claims at the same moment, whose routes have nothing in common', async () => {
    await emptyLanes()
    const narrow = await createOn({ concurrency: 1 })
    const wide = await createOn({})
    for (const model of ['gpt-image-2', 'standard']) {
      await server.post({ ...CAT, model }, { key: narrow.apiKey })
    }
    await server.post({ ...CAT, model: 'standard' }, { key: wide.apiKey })
    const routeOf = (model: string) => [{ id: `check ${model}`, most: 100, per_minute: null }]
    const claimStandard = () =>
      claimImage(server.db, { model: 'standard', owner: 'check', leaseSeconds: 600, routes: routeOf('standard') })
    await withClient(server.databaseUrl, async (client) => {
      await client.query('BEGIN')
      const text = `SELECT image_id FROM claim_image('gpt-image-2', NULL, 'check', 600, $1)`
      const { rows } = await client.query(text, [JSON.stringify(routeOf('gpt-image-2'))])
      assert.equal(rows.length, 1)
      const claiming = claimStandard()
      const isWaiting = async () => {
        const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`
        return (await client.query(waiting)).rowCount === 1
      }
      await until(isWaiting, { what: 'the second claim waits for the first' })
      await client.query('COMMIT')
      // It goes on with an account that has room.
      assert.equal((await claiming)?.accountId, wide.accountId)
    })
    assert.equal(await claimStandard(), undefined)
  })

  test('a narrow account is served to its end by real workers, never beyond its plan', async () => {
    await using alone = await startTestServer({ env: { SYNTHETIC_LATENCY_MS: '150' } })
    await createPlan(alone.db, { ...OPEN, name: 'narrow', concurrency: 1 })
    const narrow = await alone.createAccount({ plan: 'narrow' })
    const wide = await alone.createAccount()
    const urls = await Promise.all([
      ...[...Array(2)].map(() => alone.post({ ...CAT, numImages: 4 }, { key: narrow.apiKey })),
      alone.post({ ...CAT, model: 'standard', numImages: 2 }, { key: narrow.apiKey }),
      alone.post({ ...CAT, numImages: 4 }, { key: wide.apiKey }),
    ])
    let most = 0
    const isDone = async () => {
      const [row] = await query(
        alone.databaseUrl,
        `SELECT count(*) FILTER (WHERE status = 'generating' AND account_id = $1)::int AS making,
                count(*) FILTER (WHERE status = 'ready')::int AS ready FROM images`,
        [narrow.accountId],
      )
      most = Math.max(most, row?.making)
      return row?.ready === 14
    }
    await until(isDone, { timeoutMs: 30_000, what: 'all are ready' })
    assert.equal(most, 1)
    assert.equal(urls.flatMap(({ images }) => images).length, 14)
  })
})
