import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { withClient } from '@wombat/database'
import { type JobQueue, migrateQueue, openPostgresQueue } from '@wombat/queue'
import { describeJobQueue } from '@wombat/queue/suite'
import { createTestDatabase } from './database-fixture.ts'
import { until } from './until.ts'

const OTHER_CONNECTIONS = `
  SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`

const database = await createTestDatabase()
after(() => database[Symbol.asyncDispose]())
await migrateQueue(database.url)

describeJobQueue('job queue on PostgreSQL', (onError) => openPostgresQueue({ url: database.url, onError }))

describe('job queue on PostgreSQL: schema', () => {
  test('six that migrate at once all succeed, and once more is nothing', async () => {
    await using empty = await createTestDatabase()
    await Promise.all(Array.from({ length: 6 }, () => migrateQueue(empty.url)))
    await migrateQueue(empty.url)
    const queue = await openQuietQueue(empty.url)
    await queue.check()
    await queue.close()
  })

  test('a database that was not migrated is refused, and left without a connection', async () => {
    await using empty = await createTestDatabase()
    await assert.rejects(openQuietQueue(empty.url), /migrate/)
    await until(async () => (await connections(empty.url)) === 0, { what: 'no connection is left' })
  })

  test('a server that is not there is told at once', async () => {
    await assert.rejects(openQuietQueue('postgresql://wombat@localhost/wombat?host=/nowhere'), /ENOENT/)
  })
})

describe('job queue on PostgreSQL: what it costs the server', () => {
  test('five lanes under load hold four connections and one each, and none after close', async () => {
    await using own = await createTestDatabase()
    await migrateQueue(own.url)
    const queue = await openQuietQueue(own.url)
    const lanes = ['a', 'b', 'c', 'd', 'e']
    let handled = 0
    for (const lane of lanes) {
      await queue.work(lane, { concurrency: 4, handler: async () => void handled++ })
    }
    await Promise.all(lanes.flatMap((lane) => numbered(40).map((wakeup) => queue.announce(lane, [wakeup]))))
    await until(() => handled === 200, { what: 'all are handled' })
    const used = await connections(own.url)
    assert(used <= 9, `${used} connections`)
    await queue.close()
    await until(async () => (await connections(own.url)) === 0, { what: 'no connection is left' })
  })

  test("BullMQ's stream of events, which nobody reads, stays short", async () => {
    await using own = await createTestDatabase()
    await migrateQueue(own.url)
    const queue = await openQuietQueue(own.url)
    let handled = 0
    await queue.work('lane', { concurrency: 8, handler: async () => void handled++ })
    for (let round = 1; round <= 10; round++) {
      await queue.announce('lane', numbered(100))
      await until(async () => handled === round * 100 && (await queue.depth('lane')).active === 0, { what: 'handled' })
    }
    await queue.close()
    const { rows } = await withClient(own.url, (client) => client.query('SELECT count(*)::int AS n FROM bullmq.event'))
    assert(rows[0].n < 1_000, `${rows[0].n} events`)
  })
})

describe('job queue on PostgreSQL: a lost connection', () => {
  test('after all connections were terminated what waits, what runs and what comes is handled', async () => {
    await using own = await createTestDatabase()
    await migrateQueue(own.url)
    const errors: string[] = []
    const queue = await openPostgresQueue({
      url: own.url,
      onError: (error, where) => errors.push(`${where}: ${String(error)}`),
    })
    const gate = Promise.withResolvers<void>()
    const handled: string[] = []
    const handler = async (imageId: string) => {
      await gate.promise
      handled.push(imageId)
    }
    await queue.work('lane', { concurrency: 2, handler })
    await queue.announce('lane', numbered(4))
    await until(async () => (await queue.depth('lane')).active === 2, { what: 'two handlers run' })

    await terminateConnections(own.url)
    gate.resolve()
    await until(() => succeeds(queue.announce('lane', [{ imageId: 'img_late', fence: 0 }])), { what: 'announced' })
    await until(() => new Set(handled).size === 5, { what: 'all are handled' })
    assert.deepEqual([...new Set(handled)].sort(), ['img_0', 'img_1', 'img_2', 'img_3', 'img_late'])
    assert(errors.length > 0, 'the loss is reported')

    await terminateConnections(own.url)
    await until(() => succeeds(queue.check()), { what: 'the queue is back' })
    await queue.announce('lane', [{ imageId: 'img_idle', fence: 0 }])
    await until(() => handled.includes('img_idle'), { what: 'an idle worker is back as well' })
    await queue.close()
  })
})

test('a process that closes its queue ends by itself', async () => {
  const script = `
    import { openPostgresQueue } from '@wombat/queue'
    const queue = await openPostgresQueue({ url: process.argv[1], onError: console.error })
    const handled = Promise.withResolvers()
    await queue.work('exit', { concurrency: 2, handler: async () => handled.resolve() })
    await queue.announce('exit', [{ imageId: 'img_1', fence: 0 }])
    await handled.promise
    await queue.close()
    console.log('closed')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script, '--', database.url], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
  })
  const [closed] = await once(child.stdout, 'data')
  const closedMs = performance.now()
  const [code] = await once(child, 'exit')
  assert.equal(String(closed).trim(), 'closed')
  assert.equal(code, 0)
  assert(performance.now() - closedMs < 2_000)
})

function openQuietQueue(url: string): Promise<JobQueue> {
  return openPostgresQueue({ url, onError: () => {} })
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

function numbered(count: number) {
  return Array.from({ length: count }, (_, index) => ({ imageId: `img_${index}`, fence: 0 }))
}

async function connections(url: string): Promise<number> {
  const { rowCount } = await withClient(url, (client) => client.query(OTHER_CONNECTIONS))
  return rowCount ?? 0
}

async function terminateConnections(url: string): Promise<void> {
  await withClient(url, (client) =>
    client.query(`SELECT pg_terminate_backend(pid) FROM (${OTHER_CONNECTIONS}) AS others`),
  )
}
