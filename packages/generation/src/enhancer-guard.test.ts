import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLocalEnhancer, type EnhanceRequest } from './enhancer.ts'
import { guardEnhancer } from './enhancer-guard.ts'

const REQUEST: EnhanceRequest = { prompt: 'fox', style: 'none', styleGiven: false, enhance: true, alt: false }
const never = new AbortController().signal

function guarded() {
  const state = { isDown: false, calls: 0, nowMs: 0, answered: Promise.resolve() }
  const fallback = createLocalEnhancer()
  const enhancer = guardEnhancer(
    ({ onFault, fallback: inPlace }) => ({
      name: 'far away',
      isLocal: false,
      async enhance(request, signal) {
        state.calls += 1
        if (state.isDown) {
          await state.answered
          onFault()
          return await inPlace.enhance(request, signal)
        }
        return { prompt: 'a fox, better', alt: '' }
      },
    }),
    { fallback, tolerated: 2, firstMs: 1000, mostMs: 3000, nowMs: () => state.nowMs },
  )
  const ask = async () => (await enhancer.enhance(REQUEST, never)).prompt
  return { state, ask }
}

describe('guardEnhancer', () => {
  it('leaves it alone after faults in a row, longer each time, and tries it again then', async () => {
    const { state, ask } = guarded()
    state.isDown = true
    for (const [nowMs, calls] of [
      [0, 1],
      [0, 2],
      [999, 2],
      [1000, 3],
      [2999, 3],
      [3000, 4],
      [5999, 4],
      [6000, 5],
      [8999, 5],
      [9000, 6],
    ] as const) {
      state.nowMs = nowMs
      assert.equal(await ask(), 'fox')
      assert.equal(state.calls, calls, `at ${nowMs}`)
    }
    state.isDown = false
    state.nowMs = 12_000
    assert.equal(await ask(), 'a fox, better')
    assert.equal(await ask(), 'a fox, better')
  })

  it('forgives a single fault', async () => {
    const { state, ask } = guarded()
    for (const isDown of [true, false, true, false]) {
      state.isDown = isDown
      await ask()
    }
    assert.equal(state.calls, 4)
  })

  it('counts the faults of one moment once, and lets one request at a time find out whether it is over', async () => {
    const { state, ask } = guarded()
    state.isDown = true
    const { promise, resolve } = Promise.withResolvers<void>()
    state.answered = promise
    const asked = Promise.all(Array.from({ length: 8 }, ask))
    resolve()
    await asked
    assert.equal(state.calls, 8)
    state.nowMs = 999
    await ask()
    assert.equal(state.calls, 8)
    state.nowMs = 1000
    await Promise.all(Array.from({ length: 5 }, ask))
    assert.equal(state.calls, 9)
    state.isDown = false
    state.nowMs = 3000
    await Promise.all(Array.from({ length: 5 }, ask))
    assert.equal(state.calls, 10)
    assert.equal(await ask(), 'a fox, better')
  })
})
