import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { askYes } from './confirm.ts'

async function answer(text: string, stop = new AbortController().signal): Promise<{ isYes: boolean; asked: string }> {
  const input = new PassThrough()
  const output = new PassThrough()
  input.end(text)
  const isYes = await askYes('Erase it?', { input, output, stop })
  return { isYes, asked: String(output.read() ?? '') }
}

test('only a typed yes means yes', async () => {
  for (const text of ['yes\n', ' YES \n', 'yes']) {
    assert.deepEqual(await answer(text), { isYes: true, asked: 'Erase it? Type yes: ' })
  }
  for (const text of ['\n', 'no\nyes\n', 'y\n', 'yes!\n']) {
    assert.equal((await answer(text)).isYes, false, text)
  }
  assert.deepEqual(await answer(''), { isYes: false, asked: 'Erase it? Type yes: \n' })
})

test('whoever is told to stop has not said yes', async () => {
  assert.deepEqual(await answer('yes\n', AbortSignal.abort()), { isYes: false, asked: '' })
  const stopping = new AbortController()
  const output = new PassThrough()
  const asking = askYes('Erase it?', { input: new PassThrough(), output, stop: stopping.signal })
  stopping.abort()
  assert.equal(await asking, false)
})
