import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { eventually, type SuiteClients, wakeups } from './suite-clients.ts'

export function describeAnnouncing(clients: SuiteClients): void {
  describe('announcing', () => {
    test('an announced wake-up reaches its handler once, with the id of the image', async () => {
      const queue = await clients.open()
      const lane = randomUUID()
      const handled: string[] = []
      await queue.work(lane, { concurrency: 4, handler: async (imageId) => void handled.push(imageId) })
      await queue.announce(lane, [{ imageId: 'img_1', fence: 0 }])
      await eventually(() => handled.length === 1)
      await eventually(async () => {
        const { waiting, active } = await queue.depth(lane)
        return waiting + active === 0
      })
      assert.deepEqual(handled, ['img_1'])
    })

    test('what was announced while nobody worked is handled by whoever comes, in order', async () => {
      const lane = randomUUID()
      await (await clients.open()).announce(lane, wakeups(20))
      const handled: string[] = []
      const worker = await clients.open()
      await worker.work(lane, { concurrency: 1, handler: async (imageId) => void handled.push(imageId) })
      await eventually(() => handled.length === 20)
      assert.deepEqual(
        handled,
        wakeups(20).map(({ imageId }) => imageId),
      )
    })

    test('an announcement of nothing does nothing', async () => {
      const queue = await clients.open()
      const lane = randomUUID()
      await queue.announce(lane, [])
      assert.deepEqual(await queue.depth(lane), { waiting: 0, active: 0 })
    })

    test('2,000 wake-ups of many concurrent callers are handled, none twice, by two workers', async () => {
      const lane = randomUUID()
      const handled: string[] = []
      const handler = async (imageId: string) => void handled.push(imageId)
      for (const queue of [await clients.open(), await clients.open()]) {
        await queue.work(lane, { concurrency: 8, handler })
      }
      const producer = await clients.open()
      const all = wakeups(2_000)
      await Promise.all([
        producer.announce(lane, all.slice(0, 1_000)),
        ...all.slice(1_000).map((wakeup) => producer.announce(lane, [wakeup])),
      ])
      await eventually(() => handled.length >= 2_000, 60_000)
      assert.equal(new Set(handled).size, 2_000)
      assert.equal(handled.length, 2_000)
      assert.deepEqual(clients.errors, [])
    })
  })
}

export function describeNames(clients: SuiteClients): void {
  describe('names', () => {
    test('a wake-up that still waits is not added again, but one with the next fence is', async () => {
      const queue = await clients.open()
      const lane = randomUUID()
      await queue.announce(lane, [{ imageId: 'img_1', fence: 0 }])
      await queue.announce(lane, [
        { imageId: 'img_1', fence: 0 },
        { imageId: 'img_1', fence: 1 },
      ])
      assert.deepEqual(await queue.depth(lane), { waiting: 2, active: 0 })
      await queue.announce(lane, [{ imageId: 'img_1', fence: 0, again: 7 }])
      assert.deepEqual(await queue.depth(lane), { waiting: 3, active: 0 })
    })

    test('a wake-up that was handled may be announced again under the same fence', async () => {
      const queue = await clients.open()
      const lane = randomUUID()
      let handled = 0
      await queue.work(lane, { concurrency: 1, handler: async () => void handled++ })
      for (const expected of [1, 2]) {
        await queue.announce(lane, [{ imageId: 'img_1', fence: 0 }])
        await eventually(() => handled === expected)
        await eventually(async () => (await queue.depth(lane)).active === 0)
      }
    })

    test('an image id that no job can be named after is refused', async () => {
      const queue = await clients.open()
      await assert.rejects(queue.announce(randomUUID(), [{ imageId: 'a:b', fence: 0 }]))
    })
  })
}
