/** The parts of a server as processes of their own, and which of them keeps house. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findLockHolder, openSessionLock } from '@wombat/database'
import { examineDatabase } from '@wombat/engine'
import { createTestDatabase, until } from '@wombat/testing'
import { openDatabaseProxy } from './database-proxy.ts'
import { countStates, orderOne, pathOf, query } from './image-tools.ts'
import { spawnTestServer, startTestServer, type TestServer } from './server-fixture.ts'

async function readMetric({ engine }: TestServer, name: string): Promise<number | undefined> {
  const { text } = await engine.metrics.write()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

async function isLeading(server: TestServer): Promise<boolean> {
  return (await readMetric(server, 'wombat_scheduler_leader')) === 1
}

/** How often it has looked for images past their deadline, which only the sweep does. */
async function countSweeps(server: TestServer): Promise<number> {
  return (await readMetric(server, 'wombat_database_statement_seconds_count{statement="find-overdue"}')) ?? 0
}

/** The queue loses everything, and the sweep of whoever leads puts it right. */
async function untilSwept(api: TestServer, imageId: string): Promise<void> {
  const [row] = await query(api.databaseUrl, 'SELECT model FROM images WHERE id = $1', [imageId])
  await api.loseJobs()
  const what = 'the lost job is announced again'
  await until(async () => (await api.engine.queue.depth(row?.model)).waiting === 1, { what, timeoutMs: 30_000 })
}

const METRICS = { METRICS_PORT: '0' }

describe('the roles of a server', { timeout: 120_000 }, () => {
  test('a leader whose work hangs leads again soon after its session was lost', async () => {
    await using database = await createTestDatabase()
    const hung = Promise.withResolvers<void>()
    let begun = 0
    const lock = openSessionLock({
      url: database.url,
      applicationName: 'wombat hanging',
      key: 8,
      work: () => {
        begun += 1
        return hung.promise
      },
      onError: () => {},
      silenceMs: 2_000,
    })
    await until(() => lock.isHeld, { what: 'it leads' })
    await query(
      database.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wombat hanging'`,
    )
    await until(() => begun === 2, { what: 'it leads again' })
    let isClosed = false
    const closed = lock.close().then(() => {
      isClosed = true
    })
    // Some round trips later.
    await findLockHolder(database.url, 8)
    assert.equal(isClosed, false)
    hung.resolve()
    await closed
    assert.equal(await findLockHolder(database.url, 8), undefined)
  })

  test('one of all schedulers sweeps; when it stops or is killed another does; only a worker makes the image', async () => {
    await using api = await startTestServer({ role: 'api' })
    await using one = await startTestServer({ role: 'scheduler', beside: api, env: METRICS })
    assert.equal(one.url, '')
    assert.equal((await fetch(`${one.metricsUrl}/health/ready`)).status, 200)
    await until(() => isLeading(one), { what: 'the first leads' })
    const imageId = await orderOne(api)
    await untilSwept(api, imageId)

    await using two = await startTestServer({ role: 'scheduler', beside: api })
    const asked = `SELECT FROM pg_stat_activity WHERE application_name = 'wombat scheduler' AND datname = current_database()
                   AND query LIKE '%pg_try_advisory_lock%' AND state = 'idle'`
    await until(async () => (await query(api.databaseUrl, asked)).length === 1, { what: 'the second has asked' })
    const before = await countSweeps(one)
    await until(async () => (await countSweeps(one)) > before + 1, { what: 'the first goes on' })
    assert.equal(await isLeading(two), false)
    assert.equal(await countSweeps(two), 0)
    assert.equal(await readMetric(api, 'wombat_scheduler_leader'), undefined)

    await one.stop()
    await until(() => isLeading(two), { what: 'the second takes over' })
    await untilSwept(api, imageId)

    await using third = await spawnTestServer({ role: 'scheduler', beside: api, env: { LOG_LEVEL: 'info' } })
    await two.stop()
    await until(() => third.output.includes('this process leads'), { what: 'the third takes over', timeoutMs: 30_000 })
    assert.deepEqual(await countStates(api.databaseUrl), { queued: 1 })
    await using worker = await startTestServer({ role: 'worker', beside: api })
    assert.equal((await api.get(pathOf(imageId))).status, 200)
    assert.equal(await isLeading(worker), false)
    await third.kill()
    await until(() => isLeading(worker), { what: 'a worker takes over from who was killed' })
  })

  test('without a scheduler a worker keeps house, and without both a server of all roles', async () => {
    await using all = await startTestServer()
    await until(() => isLeading(all), { what: 'it leads' })
    assert.ok((await examineDatabase(all.databaseUrl)).leader !== undefined)
    assert.equal((await all.get(pathOf(await orderOne(all)))).status, 200)
    await query(
      all.databaseUrl,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'wombat scheduler'`,
    )
    await until(async () => !(await isLeading(all)), { what: 'the loss is noticed' })
    await until(() => isLeading(all), { what: 'it stands again' })
  })
})

test('a lock goes with its session: who is not heard of any more loses it, and knows', async () => {
  await using database = await createTestDatabase()
  using proxy = await openDatabaseProxy(database.url)
  const open = (url: string) => {
    const held: AbortSignal[] = []
    const lock = openSessionLock({
      url,
      applicationName: 'wombat check',
      key: 7,
      silenceMs: 2_000,
      onError: () => {},
      work: async (signal) => {
        held.push(signal)
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    })
    return { held, lock, [Symbol.asyncDispose]: () => lock.close() }
  }
  await using first = open(proxy.url)
  await until(() => first.lock.isHeld, { what: 'the first has it' })
  const holder = await findLockHolder(database.url, 7)
  assert.ok(holder !== undefined)
  await using second = open(database.url)
  proxy.freeze()
  await until(() => second.lock.isHeld, { what: 'the second has it', timeoutMs: 30_000 })
  await until(() => first.held.every(({ aborted }) => aborted), { what: 'the first knows', timeoutMs: 30_000 })
  assert.notEqual((await findLockHolder(database.url, 7))?.processId, holder.processId)
  await proxy.mend()
  await second.lock.close()
  assert.ok(second.held.at(-1)?.aborted)
  await until(() => first.lock.isHeld, { what: 'the first has it again', timeoutMs: 30_000 })
})
