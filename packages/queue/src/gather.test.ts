import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gather } from './gather.ts'

const LIMITS = { batch: 4, waiting: 100 }

describe('gather', () => {
  test('a lone call runs at once', async () => {
    const batches: number[][] = []
    await gather<number>(async (batch) => void batches.push([...batch]), LIMITS)([1])
    assert.deepEqual(batches, [[1]])
  })

  test('calls that arrive during a batch go together into the next, in order and within the limit', async () => {
    const { batches, gates, add } = gated()
    const calls = [[1], [2], [3], [4, 5], [6]].map(add)
    await turn()
    assert.deepEqual(batches, [[1, 2, 3]])
    const late = add([7])
    gates[0]?.resolve()
    await turn()
    assert.deepEqual(batches, [
      [1, 2, 3],
      [4, 5, 6, 7],
    ])
    gates[1]?.resolve()
    await Promise.all([...calls, late])
  })

  test('one call larger than a batch stays whole', async () => {
    const batches: number[][] = []
    await gather<number>(async (batch) => void batches.push([...batch]), LIMITS)([1, 2, 3, 4, 5, 6])
    assert.deepEqual(batches, [[1, 2, 3, 4, 5, 6]])
  })

  test('a batch that fails fails its own callers only', async () => {
    const { gates, add } = gated()
    const failing = [add([1]), add([2])]
    await turn()
    const next = add([3])
    gates[0]?.reject(new Error('no connection'))
    for (const call of failing) {
      await assert.rejects(call, /no connection/)
    }
    await turn()
    gates[1]?.resolve()
    await next
  })

  test('more than may wait is refused, and room is there again afterwards', async () => {
    const { gates, add } = gated({ batch: 4, waiting: 4 })
    const first = add([1])
    await turn()
    const second = add([2, 3, 4, 5])
    await assert.rejects(add([6]), /more than 4 items are waiting/)
    gates[0]?.resolve()
    await first
    await turn()
    const third = add([6])
    gates[1]?.resolve()
    await second
    await turn()
    gates[2]?.resolve()
    await third
  })
})

function gated(limits = LIMITS) {
  const batches: number[][] = []
  const gates: PromiseWithResolvers<void>[] = []
  const add = gather<number>((batch) => {
    batches.push([...batch])
    const gate = Promise.withResolvers<void>()
    gates.push(gate)
    return gate.promise
  }, limits)
  return { batches, gates, add }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
