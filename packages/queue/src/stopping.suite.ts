import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, type SuiteClients, timed, wakeups } from './suite-clients.ts'

export function describeStopping(clients: SuiteClients): void {
  describe('stopping', () => {
    test('a stopped worker takes no job, and another finds it waiting', async () => {
      const queue = await clients.open()
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
      const queue = await clients.open()
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

    test('workers that come and go under load lose no wake-up', async () => {
      const lane = randomUUID()
      const queue = await clients.open()
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
      assert.deepEqual(clients.errors, [])
    })
  })
}

export function describeAborting(clients: SuiteClients): void {
  describe('aborting', () => {
    test('after the grace stop aborts the signals and waits for the handlers', async () => {
      const queue = await clients.open()
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
      assert.deepEqual(clients.errors, [], 'stopping when told to is no error')
    })

    test('stop returns in time though a handler ignores its signal, and its job blocks nobody', async () => {
      const queue = await clients.open()
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
      assert.deepEqual(clients.errors, [
        `queue ${lane}: handler: Error: a handler ignored its signal and was abandoned`,
      ])
      await eventually(async () => (await queue.depth(lane)).active === 0)
      let handled = 0
      await queue.work(lane, { concurrency: 1, handler: async () => void handled++ })
      await queue.announce(lane, wakeups(1))
      await eventually(() => handled === 1)
      gate.resolve()
    })
  })
}

export function describeClosing(clients: SuiteClients): void {
  describe('closing', () => {
    test('close stops the workers, aborts their handlers, and refuses what comes after', async () => {
      const queue = await clients.open()
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

    test('announcements under way when the queue closes are added or refused, and none hangs', async () => {
      const queue = await clients.open()
      const lane = randomUUID()
      const announced = wakeups(500).map((wakeup) => queue.announce(lane, [wakeup]))
      const [results] = await Promise.all([Promise.allSettled(announced), queue.close()])
      const added = results.filter(({ status }) => status === 'fulfilled').length
      const { waiting } = await (await clients.open()).depth(lane)
      assert.equal(waiting, added)
    })

    test('a worker that is started while the queue closes is refused or stopped', async () => {
      const queue = await clients.open()
      const lane = randomUUID()
      const working = queue.work(lane, { concurrency: 1, handler: async () => assert.fail('nobody works here') })
      const [result] = await Promise.all([Promise.allSettled([working]), queue.close()])
      assert.equal(result[0].status, 'rejected')
      const another = await clients.open()
      await another.announce(lane, wakeups(1))
      await sleep(200)
      assert.deepEqual(await another.depth(lane), { waiting: 1, active: 0 })
    })
  })
}
