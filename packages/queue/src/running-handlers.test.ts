import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RunningHandlers } from './running-handlers.ts'

describe('running handlers', () => {
  test('a run ends with its handler, and what that throws is reported', async () => {
    const errors: unknown[] = []
    const fault = new Error('fault')
    const running = new RunningHandlers(
      async () => Promise.reject(fault),
      (error) => errors.push(error),
    )
    await running.run('img_1')
    assert.deepEqual(errors, [fault])
  })

  test('a handler that throws before it promises anything is reported too', async () => {
    const errors: unknown[] = []
    const handler = () => {
      throw new Error('at once')
    }
    await new RunningHandlers(handler, (error) => errors.push(error)).run('img_1')
    assert.equal(errors.length, 1)
  })

  test('a handler that ends with the reason of its abort reports nothing', async () => {
    const errors: unknown[] = []
    const handler = async (_imageId: string, signal: AbortSignal) => {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }
    const running = new RunningHandlers(handler, (error) => errors.push(error))
    const run = running.run('img_1')
    running.abort(new Error('stopping'))
    await run
    assert.deepEqual(errors, [])
  })

  test('an abandoned run ends though its handler goes on, and a late fault harms nobody', async () => {
    const errors: unknown[] = []
    const gate = Promise.withResolvers<void>()
    const running = new RunningHandlers(
      () => gate.promise,
      (error) => errors.push(error),
    )
    const run = running.run('img_1')
    running.abandon()
    await run
    assert.equal(errors.length, 1)
    gate.reject(new Error('late'))
    await sleep(1)
    running.abandon()
    assert.equal(errors.length, 1)
  })
})
