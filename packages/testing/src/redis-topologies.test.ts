/** The same queue on a real cluster of three, and behind a real sentinel that fails over. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, test } from 'node:test'
import { examineRedis, openRedisCounters, openRedisQueue } from '@wombat/queue'
import { freePort, startRedis, type TestRedis } from './redis-fixture.ts'
import { createTemporaryDirectory } from './temporary-directory.ts'
import { until } from './until.ts'

const LANES = ['standard', 'fast', 'medium', 'high', 'flux']
const quiet = () => {}

/** Three masters that share the slots. */
async function startCluster() {
  await using stack = new AsyncDisposableStack()
  const nodes: TestRedis[] = []
  for (const slots of ['0 5460', '5461 10922', '10923 16383']) {
    const busPort = await freePort()
    const args = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '2000']
    const node = stack.use(await startRedis({ args }))
    assert.match(await node.command('CLUSTER', 'ADDSLOTSRANGE', ...slots.split(' ')), /OK/)
    if (nodes[0] !== undefined) {
      assert.match(await nodes[0].command('CLUSTER', 'MEET', '127.0.0.1', `${node.port}`, `${busPort}`), /OK/)
    }
    nodes.push(node)
  }
  await until(async () => (await Promise.all(nodes.map((node) => node.command('CLUSTER', 'INFO')))).every(isWhole), {
    timeoutMs: 30_000,
    what: 'the cluster is whole',
  })
  const owned = stack.move()
  const url = `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  return { url, nodes, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

function isWhole(info: string): boolean {
  return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
}

async function startSentinel(master: TestRedis) {
  const directory = await createTemporaryDirectory()
  const file = path.join(directory.path, 'sentinel.conf')
  const conf = [
    `sentinel monitor queue 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds queue 500',
    'sentinel failover-timeout queue 2000',
  ]
  await writeFile(file, `${conf.join('\n')}\n`)
  const sentinel = await startRedis({ file, isSentinel: true })
  return {
    sentinel,
    async [Symbol.asyncDispose]() {
      await sentinel[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

describe('job queue on other forms of Redis', { timeout: 90_000 }, () => {
  test('a cluster of three: every lane works, and counts are one round trip', async () => {
    await using cluster = await startCluster()
    const queue = await openRedisQueue({ url: cluster.url, onError: quiet })
    const handled: string[] = []
    for (const lane of LANES) {
      await queue.work(lane, { concurrency: 2, handler: async (imageId) => void handled.push(`${lane} ${imageId}`) })
    }
    await Promise.all(LANES.map((lane) => queue.announce(lane, numbered(20))))
    await until(() => handled.length === 100, { what: 'all are handled' })
    assert.equal(new Set(handled).size, 100)
    await queue.check()
    assert.equal((await examineRedis(cluster.url)).warnings.length, 0)
    const counters = await openRedisCounters({ url: cluster.url, onError: quiet })
    const counts = [
      { name: 'a', by: 2 },
      { name: 'b', by: 1 },
    ]
    await counters.add(counts, 60_000)
    assert.deepEqual(
      (await counters.add(counts, 60_000)).map(({ count }) => count),
      [4, 2],
    )
    await counters.close()
    await queue.close()
  })

  test('a sentinel: the queue works, and goes on with the replica when the master is killed', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${master.port}`] })
    await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'), {
      timeoutMs: 20_000,
      what: 'the replica follows',
    })
    await using watch = await startSentinel(master)
    await until(
      async () => (await watch.sentinel.command('SENTINEL', 'replicas', 'queue')).includes(`${replica.port}`),
      {
        timeoutMs: 30_000,
        what: 'the sentinel knows the replica',
      },
    )
    const url = `redis-sentinel://127.0.0.1:${watch.sentinel.port}/queue`
    const queue = await openRedisQueue({ url, onError: quiet })
    const handled: string[] = []
    await queue.work('lane', { concurrency: 2, handler: async (imageId) => void handled.push(imageId) })
    await queue.announce('lane', numbered(5))
    await until(() => handled.length === 5, { what: 'all are handled' })
    await master.stop()
    await until(
      () =>
        queue.announce('lane', [{ imageId: 'img_late', fence: 0 }]).then(
          () => true,
          () => false,
        ),
      { timeoutMs: 40_000, what: 'the replica has taken over' },
    )
    await until(() => handled.includes('img_late'), { timeoutMs: 20_000, what: 'its worker has found it too' })
    await queue.close()
  })
})

function numbered(count: number) {
  return Array.from({ length: count }, (_, index) => ({ imageId: `img_${index}`, fence: 0 }))
}
