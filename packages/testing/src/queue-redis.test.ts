import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { type JobQueue, openRedisQueue } from '@wombat/queue'
import { describeJobQueue } from '@wombat/queue/suite'
import { freePort, startRedis, type TestRedis } from './redis-fixture.ts'
import { until } from './until.ts'

const redis = await startRedis()
after(() => redis[Symbol.asyncDispose]())

describeJobQueue('job queue on Redis', (onError) => openRedisQueue({ url: redis.url, onError }))

describe('job queue on Redis: opening', () => {
  test('a Redis that is not there is told with its address, and without its password', async () => {
    const port = await freePort()
    await assert.rejects(openQuietQueue(`redis://user:hidden@127.0.0.1:${port}`), (error: Error) => {
      assert.match(error.message, new RegExp(`Redis at 127.0.0.1:${port} can't be reached: .*ECONNREFUSED`))
      assert.doesNotMatch(error.message, /hidden/)
      return true
    })
  })

  test('one that comes up within five seconds is waited for', async () => {
    await using late = await startRedis()
    await late.stop()
    const opening = openQuietQueue(late.url)
    await late.start()
    const queue = await opening
    await queue.check()
    await queue.close()
  })

  test('a wrong password is told at once, a right one works, also with characters that need encoding', async () => {
    await using guarded = await startRedis({ args: ['--requirepass', 'p@ss/word:1'] })
    const startedMs = performance.now()
    await assert.rejects(openQuietQueue(`redis://:wrong@127.0.0.1:${guarded.port}`), /WRONGPASS/)
    await assert.rejects(openQuietQueue(guarded.url), /NOAUTH/)
    assert.ok(performance.now() - startedMs < 4_000)
    const queue = await openQuietQueue(`redis://:${encodeURIComponent('p@ss/word:1')}@127.0.0.1:${guarded.port}/3`)
    await queue.announce('lane', numbered(2))
    assert.deepEqual(await queue.depth('lane'), { waiting: 2, active: 0 })
    await queue.close()
  })
})

describe('job queue on Redis: what it costs the server', () => {
  test('five lanes under load hold one connection and two each, and none after close', async () => {
    await using own = await startRedis()
    const queue = await openQuietQueue(own.url)
    const lanes = ['a', 'b', 'c', 'd', 'e']
    let handled = 0
    for (const lane of lanes) {
      await queue.work(lane, { concurrency: 4, handler: async () => void handled++ })
    }
    await Promise.all(lanes.flatMap((lane) => numbered(40).map((wakeup) => queue.announce(lane, [wakeup]))))
    await until(() => handled === 200, { what: 'all are handled' })
    const used = await connections(own)
    assert(used <= 11, `${used} connections`)
    await queue.close()
    await until(async () => (await connections(own)) === 0, { what: 'no connection is left' })
  })

  test('all keys have the prefix in braces, and jobs that ended leave none but a short stream', async () => {
    await using own = await startRedis()
    const queue = await openQuietQueue(own.url)
    let handled = 0
    await queue.work('lane', { concurrency: 8, handler: async () => void handled++ })
    for (let round = 1; round <= 10; round++) {
      await queue.announce('lane', numbered(100))
      await until(async () => handled === round * 100 && (await queue.depth('lane')).active === 0, { what: 'handled' })
    }
    await queue.close()
    const keys = (await own.command('KEYS', '*')).split('\r\n').filter((line) => /^[^*$]/.test(line))
    assert.ok(keys.length > 0 && keys.length < 10, keys.join())
    assert.ok(
      keys.every((key) => key.startsWith('{wombat}:lane:')),
      keys.join(),
    )
    const events = Number((await own.command('XLEN', '{wombat}:lane:events')).slice(1))
    assert(events < 1_000, `${events} events`)
  })
})

describe('job queue on Redis: trouble', () => {
  for (const [name, harm] of [
    ['was flushed', (own: TestRedis) => own.flush()],
    [
      'was killed and started again, empty',
      async (own: TestRedis) => {
        await own.stop()
        await own.start()
      },
    ],
  ] as const) {
    test(`after Redis ${name} what comes is handled, and a handler under way ends in peace`, async () => {
      await using own = await startRedis()
      const queue = await openQuietQueue(own.url)
      const gate = Promise.withResolvers<void>()
      const handled: string[] = []
      const handler = async (imageId: string) => {
        await gate.promise
        handled.push(imageId)
      }
      await queue.work('lane', { concurrency: 2, handler })
      await queue.announce('lane', numbered(2))
      await until(async () => (await queue.depth('lane')).active === 2, { what: 'two handlers run' })
      await harm(own)
      gate.resolve()
      await until(() => succeeds(queue.announce('lane', [{ imageId: 'img_late', fence: 0 }])), { what: 'announced' })
      await until(() => handled.includes('img_late'), { what: 'what came is handled' })
      assert.deepEqual(handled.filter((id) => id !== 'img_late').sort(), ['img_0', 'img_1'])

      await harm(own)
      await until(() => succeeds(queue.check()), { what: 'the queue is back' })
      await queue.announce('lane', [{ imageId: 'img_idle', fence: 0 }])
      await until(() => handled.includes('img_idle'), { timeoutMs: 15_000, what: 'an idle worker is back as well' })
      await queue.close()
    })
  }

  test('while Redis is away every call fails at once and says why; one that hangs costs two seconds', async () => {
    await using own = await startRedis()
    const queue = await openQuietQueue(own.url)
    await queue.announce('lane', numbered(1))
    await own.stop()
    await until(async () => !(await succeeds(queue.check())), { what: 'the loss is noticed' })
    for (const call of [
      () => queue.announce('lane', numbered(1)),
      () => queue.announce('a lane that was never used', numbered(1)),
      async () => void (await queue.depth('lane')),
      () => queue.check(),
    ]) {
      const ms = await timeOfFailure(call)
      assert.ok(ms < 500, `${ms} ms`)
    }
    const reason = () => queue.check().then(() => '', String)
    const why = /Redis at 127\.0\.0\.1:\d+ can't be reached: .*ECONNREFUSED/
    await until(async () => why.test(await reason()), { what: 'the reason is told' })
    await own.start()
    await until(() => succeeds(queue.announce('lane', numbered(1))), { what: 'it is back' })
    own.freeze()
    const ms = await timeOfFailure(() => queue.announce('lane', numbered(1)))
    assert.ok(ms > 1_000 && ms < 4_000, `${ms} ms`)
    own.thaw()
    await until(() => succeeds(queue.check()), { what: 'it answers again' })
    await queue.close()
  })

  test('errors are reported, the same words once in ten seconds', async () => {
    await using own = await startRedis()
    const errors: string[] = []
    const queue = await openRedisQueue({ url: own.url, onError: (error, where) => errors.push(`${where} ${error}`) })
    await queue.work('lane', { concurrency: 1, handler: async () => {} })
    await own.stop()
    const untilMs = performance.now() + 3_000
    await until(() => performance.now() > untilMs && errors.length > 0, { what: 'it tried again a few times' })
    assert.equal(new Set(errors).size, errors.length, errors.join('\n'))
    const closing = performance.now()
    await queue.close()
    assert.ok(performance.now() - closing < 3_000)
  })
})

test('a process that closes its queue ends by itself, also while Redis is away', async () => {
  await using own = await startRedis()
  const script = `
    import { openRedisQueue } from '@wombat/queue'
    const queue = await openRedisQueue({ url: process.argv[1], onError: () => {} })
    const handled = Promise.withResolvers()
    await queue.work('exit', { concurrency: 2, handler: async () => handled.resolve() })
    await queue.announce('exit', [{ imageId: 'img_1', fence: 0 }])
    await handled.promise
    console.log('handled')
    if (process.argv[2] === 'away') {
      for (;;) {
        try { await queue.check() } catch { break }
      }
    }
    await queue.close()
    console.log('closed')`
  for (const how of ['there', 'away']) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script, '--', own.url, how], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 20_000,
    })
    const output: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
    await until(() => output.join('').includes('handled'), { what: 'it has handled its job' })
    if (how === 'away') {
      await own.stop()
    }
    await until(() => output.join('').includes('closed'), { what: 'it has closed' })
    const closedMs = performance.now()
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    assert.equal(code, 0)
    const ms = performance.now() - closedMs
    assert(ms < 6_000, `${ms} ms, ${how}`)
  }
})

function openQuietQueue(url: string): Promise<JobQueue> {
  return openRedisQueue({ url, onError: () => {} })
}

function succeeds(work: Promise<void>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  )
}

async function timeOfFailure(call: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await assert.rejects(call())
  return performance.now() - startedMs
}

function numbered(count: number) {
  return Array.from({ length: count }, (_, index) => ({ imageId: `img_${index}`, fence: 0 }))
}

/** But for the one that asks. */
async function connections(redis: TestRedis): Promise<number> {
  const list = await redis.command('CLIENT', 'LIST')
  return list.split('\n').filter((line) => /(^|\r)id=/.test(line)).length - 1
}
