import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually, type SuiteClients, wakeups } from './suite-clients.ts'

export function describeWorking(clients: SuiteClients): void {
  describe('working', () => {
    test('no more handlers run at once than the concurrency allows', async () => {
      const queue = await clients.open()
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
      const queue = await clients.open()
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
      const queue = await clients.open()
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
        clients.errors,
        handled.map((imageId) => `queue ${lane}: handler: Error: no luck with ${imageId}`),
      )
    })
  })
}

export function describeHealth(clients: SuiteClients): void {
  describe('health', () => {
    test('depth tells what waits and what runs', async () => {
      const queue = await clients.open()
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

    test('check passes while the queue can be reached', async () => {
      await (await clients.open()).check()
    })
  })
}
