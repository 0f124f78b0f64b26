import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobQueue, Wakeup } from './job-queue.ts'

/** What every job queue must do. `open` answers one more client of one and the same store; the suite closes it. */
export function describeJobQueue(
  name: string,
  open: (onError: (error: unknown, where: string) => void) => Promise<JobQueue>,
): void {
  const opened: JobQueue[] = []
  const errors: string[] = []

  async function openClient(): Promise<JobQueue> {
    const queue = await open((error, where) => errors.push(`${where}: ${error}`))
    opened.push(queue)
    return queue
  }

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((queue) => queue.close()))
    errors.length = 0
  })

  describe(`${name}: announcing`, () => {
    test('an announced wake-up reaches its handler once, with the id of the image', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const handled: string[] = []
      await queue.work(lane, { concurrency: 4, handler: async (imageId) => void handled.push(imageId) })
      await queue.announce(lane, [{ imageId: 'img_1', fence: 0 }])
      await eventually(() => handled.length === 1)
      await sleep(100)
      assert.deepEqual(handled, ['img_1'])
      assert.deepEqual(await queue.depth(lane), { waiting: 0, active: 0 })
    })

    test('what was announced while nobody worked is handled by whoever comes, in order', async () => {
      const lane = randomUUID()
      await (await openClient()).announce(lane, wakeups(20))
      const handled: string[] = []
      const worker = await openClient()
      await worker.work(lane, { concurrency: 1, handler: async (imageId) => void handled.push(imageId) })
      await eventually(() => handled.length === 20)
      assert.deepEqual(
        handled,
        wakeups(20).map(({ imageId }) => imageId),
      )
    })

    test('a wake-up that still waits is not added again, but one with the next fence is', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      await queue.announce(lane, [{ imageId: 'img_1', fence: 0 }])
      await queue.announce(lane, [
        { imageId: 'img_1', fence: 0 },
        { imageId: 'img_1', fence: 1 },
      ])
      assert.deepEqual(await queue.depth(lane), { waiting: 2, active: 0 })
    })

    test('a wake-up that was handled may be announced again under the same fence', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      let handled = 0
      await queue.work(lane, { concurrency: 1, handler: async () => void handled++ })
      for (const expected of [1, 2]) {
        await queue.announce(lane, [{ imageId: 'img_1', fence: 0 }])
        await eventually(() => handled === expected)
        await eventually(async () => (await queue.depth(lane)).active === 0)
      }
    })

    test('an announcement of nothing does nothing', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      await queue.announce(lane, [])
      assert.deepEqual(await queue.depth(lane), { waiting: 0, active: 0 })
    })

    test('an image id that no job can be named after is refused', async () => {
      const queue = await openClient()
      await assert.rejects(queue.announce(randomUUID(), [{ imageId: 'a:b', fence: 0 }]))
    })

    test('2,000 wake-ups of many concurrent callers are handled, none twice, by two workers', async () => {
      const lane = randomUUID()
      const handled: string[] = []
      const handler = async (imageId: string) => void handled.push(imageId)
      for (const queue of [await openClient(), await openClient()]) {
        await queue.work(lane, { concurrency: 8, handler })
      }
      const producer = await openClient()
      const all = wakeups(2_000)
      await Promise.all([
        producer.announce(lane, all.slice(0, 1_000)),
        ...all.slice(1_000).map((wakeup) => producer.announce(lane, [wakeup])),
      ])
      await eventually(() => handled.length >= 2_000, 60_000)
      assert.equal(new Set(handled).size, 2_000)
      assert.equal(handled.length, 2_000)
      assert.deepEqual(errors, [])
    })
  })

  describe(`${name}: working`, () => {
    test('no more handlers run at once than the concurrency allows', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      let running = 0
      let most = 0
      let handled = 0
      const handler = async () => {
        running++
        most = Math.max(most, running)
        await sleep(20)
        running--
        handled++
      }
      await queue.announce(lane, wakeups(24))
      await queue.work(lane, { concurrency: 3, handler })
      await eventually(() => handled === 24)
      assert.equal(most, 3)
    })

    test('a worker takes no job of another lane', async () => {
      const queue = await openClient()
      const lanes = [randomUUID(), randomUUID()] as const
      const handled: string[] = []
      for (const lane of lanes) {
        await queue.work(lane, { concurrency: 2, handler: async (imageId) => void handled.push(`${lane} ${imageId}`) })
      }
      await queue.announce(lanes[0], [{ imageId: 'img_a', fence: 0 }])
      await queue.announce(lanes[1], [{ imageId: 'img_b', fence: 0 }])
      await eventually(() => handled.length === 2)
      assert.deepEqual(handled.sort(), [`${lanes[0]} img_a`, `${lanes[1]} img_b`].sort())
    })

    test('what a handler throws is reported, is not tried again and stops nobody', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const handled: string[] = []
      const handler = async (imageId: string) => {
        handled.push(imageId)
        throw new Error(`no luck with ${imageId}`)
      }
      await queue.work(lane, { concurrency: 1, handler })
      await queue.announce(lane, wakeups(2))
      await eventually(() => handled.length === 2)
      await eventually(async () => (await queue.depth(lane)).active === 0)
      assert.equal(handled.length, 2)
      assert.deepEqual(
        errors,
        handled.map((imageId) => `queue ${lane}: handler: Error: no luck with ${imageId}`),
      )
    })

    test('depth tells what waits and what runs', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const gate = Promise.withResolvers<void>()
      await queue.announce(lane, wakeups(5))
      await queue.work(lane, { concurrency: 2, handler: () => gate.promise })
      await eventually(async () => (await queue.depth(lane)).active === 2)
      assert.deepEqual(await queue.depth(lane), { waiting: 3, active: 2 })
      gate.resolve()
      await eventually(async () => (await queue.depth(lane)).active === 0)
      assert.deepEqual(await queue.depth(lane), { waiting: 0, active: 0 })
    })
  })

  describe(`${name}: stopping`, () => {
    test('a stopped worker takes no job, and another finds it waiting', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const handled: string[] = []
      const stopped = await queue.work(lane, { concurrency: 1, handler: async () => void handled.push('stopped') })
      await stopped.stop({ graceMs: 1_000 })
      await queue.announce(lane, wakeups(1))
      await sleep(200)
      assert.deepEqual(await queue.depth(lane), { waiting: 1, active: 0 })
      await queue.work(lane, { concurrency: 1, handler: async () => void handled.push('new') })
      await eventually(() => handled.length === 1)
      assert.deepEqual(handled, ['new'])
    })

    test('stop waits for the handlers under way and aborts none within the grace', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const ended: boolean[] = []
      const started = Promise.withResolvers<void>()
      const handler = async (_imageId: string, signal: AbortSignal) => {
        started.resolve()
        await sleep(300)
        ended.push(signal.aborted)
      }
      const worker = await queue.work(lane, { concurrency: 1, handler })
      await queue.announce(lane, wakeups(2))
      await started.promise
      await worker.stop({ graceMs: 5_000 })
      assert.deepEqual(ended, [false])
      assert.deepEqual(await queue.depth(lane), { waiting: 1, active: 0 })
    })

    test('after the grace stop aborts the signals and waits for the handlers', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      let ended = 0
      let started = 0
      const handler = async (_imageId: string, signal: AbortSignal) => {
        started++
        await sleep(30_000, undefined, { signal }).catch(() => undefined)
        await sleep(100)
        ended++
        signal.throwIfAborted()
      }
      const worker = await queue.work(lane, { concurrency: 3, handler })
      await queue.announce(lane, wakeups(3))
      await eventually(() => started === 3)
      const ms = await timed(() => worker.stop({ graceMs: 200 }))
      assert.equal(ended, 3)
      assert(ms >= 200 && ms < 1_200, `stopped after ${ms} ms`)
      assert.deepEqual(await queue.depth(lane), { waiting: 0, active: 0 })
      assert.deepEqual(errors, [], 'stopping when told to is no error')
    })

    test('stop returns within a second of the grace though a handler ignores its signal, and its job blocks nobody', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const gate = Promise.withResolvers<void>()
      const started = Promise.withResolvers<void>()
      const worker = await queue.work(lane, {
        concurrency: 1,
        handler: () => {
          started.resolve()
          return gate.promise
        },
      })
      await queue.announce(lane, wakeups(1))
      await started.promise
      const ms = await timed(() => worker.stop({ graceMs: 100 }))
      assert(ms >= 100 && ms < 1_100, `stopped after ${ms} ms`)
      assert.deepEqual(errors, [`queue ${lane}: handler: Error: a handler ignored its signal and was abandoned`])
      await eventually(async () => (await queue.depth(lane)).active === 0)
      let handled = 0
      await queue.work(lane, { concurrency: 1, handler: async () => void handled++ })
      await queue.announce(lane, wakeups(1))
      await eventually(() => handled === 1)
      gate.resolve()
    })

    test('workers that come and go under load lose no wake-up', async () => {
      const lane = randomUUID()
      const queue = await openClient()
      const handled = new Set<string>()
      const handler = async (imageId: string) => {
        await sleep(2)
        handled.add(imageId)
      }
      const announced = Promise.all(
        wakeups(400).map(async (wakeup, index) => {
          await sleep(index * 3)
          await queue.announce(lane, [wakeup])
        }),
      )
      for (let round = 0; round < 8; round++) {
        const worker = await queue.work(lane, { concurrency: 4, handler })
        await sleep(100)
        await worker.stop({ graceMs: 1_000 })
      }
      await announced
      await queue.work(lane, { concurrency: 4, handler })
      await eventually(() => handled.size === 400, 20_000)
      assert.deepEqual(errors, [])
    })
  })

  describe(`${name}: closing`, () => {
    test('close stops the workers, aborts their handlers, and refuses what comes after', async () => {
      const queue = await openClient()
      const lane = randomUUID()
      const started = Promise.withResolvers<void>()
      let aborted = false
      const handler = async (_imageId: string, signal: AbortSignal) => {
        started.resolve()
        await sleep(30_000, undefined, { signal }).catch(() => {
          aborted = true
        })
      }
      await queue.work(lane, { concurrency: 1, handler })
      await queue.announce(lane, wakeups(1))
      await started.promise
      await queue.close()
      await queue.close()
      assert(aborted)
      await assert.rejects(queue.announce(lane, wakeups(1)), /closed/)
      await assert.rejects(queue.work(lane, { concurrency: 1, handler }), /closed/)
      await assert.rejects(queue.depth(lane), /closed/)
      await assert.rejects(queue.check(), /closed/)
    })

    test('check passes while the queue can be reached', async () => {
      await (await openClient()).check()
    })
  })
}

function wakeups(count: number): Wakeup[] {
  return Array.from({ length: count }, (_, index) => ({ imageId: `img_${index}`, fence: 0 }))
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

async function eventually(isTrue: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await isTrue())) {
    assert(performance.now() < deadlineMs, `not within ${timeoutMs} ms`)
    await sleep(10)
  }
}
