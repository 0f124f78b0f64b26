import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { createLocalEnhancer, createOpenAiEnhancer, type EnhanceRequest, type PromptEnhancer } from '@wombat/generation'
import { type OpenAiEmulator, startOpenAiEmulator } from './openai-emulator.ts'
import type { OpenAiFault } from './openai-faults.ts'

const REQUEST: EnhanceRequest = { prompt: 'a fox', style: 'watercolor', styleGiven: true, enhance: true, alt: true }
const never = new AbortController().signal

describe('the OpenAI enhancer', () => {
  const fallback = createLocalEnhancer()
  const faults: unknown[] = []
  let emulator: OpenAiEmulator
  let enhancer: PromptEnhancer
  before(async () => {
    emulator = await startOpenAiEmulator()
    enhancer = createOpenAiEnhancer({
      apiKey: 'sk-test',
      baseUrl: emulator.url,
      timeoutMs: 700,
      fallback,
      onFault: (error) => faults.push(error),
    })
  })
  afterEach(() => {
    emulator.setFault(undefined)
    emulator.setLatency(0)
    faults.length = 0
  })
  after(() => emulator.close())

  it('makes one call with the prompt as data in its own field, and keeps nothing upstream', async () => {
    const sentBefore = emulator.requests.length
    const { prompt, alt } = await enhancer.enhance(REQUEST, never)
    assert.deepEqual([prompt, alt], ['a fox, in soft morning light', 'A picture of a fox'])
    assert.equal(emulator.requests.length - sentBefore, 1)
    const body = Object(emulator.requests.at(-1)?.body)
    assert.equal(body.store, false)
    assert.equal(body.model, 'gpt-6-luna')
    assert.deepEqual(Object.keys(JSON.parse(body.input)), ['prompt', 'style'])
    assert.equal(JSON.parse(body.input).prompt, 'a fox')
    assert.ok(!body.instructions.includes('a fox'))
  })

  it('uses only the alt text when the prompt must stay as it is', async () => {
    const { prompt, alt } = await enhancer.enhance({ ...REQUEST, enhance: false }, never)
    assert.match(prompt, /^a fox, watercolor painting/)
    assert.equal(alt, 'A picture of a fox')
    assert.equal(
      (await enhancer.enhance({ ...REQUEST, enhance: false, styleGiven: false, style: 'photo' }, never)).prompt,
      'a fox',
    )
  })

  it('does not call when nothing is wanted or the prompt is very long', async () => {
    const sentBefore = emulator.requests.length
    const plain = { ...REQUEST, enhance: false, alt: false }
    assert.deepEqual(await enhancer.enhance(plain, never), await fallback.enhance(plain, never))
    await enhancer.enhance({ ...REQUEST, prompt: 'x'.repeat(4001) }, never)
    assert.equal(emulator.requests.length, sentBefore)
  })

  const BROKEN: readonly OpenAiFault[] = [
    'invalid_api_key',
    'insufficient_quota',
    'rate_limit',
    'server_error',
    'bad_gateway_html',
    'moderation',
    'model_not_found',
    'html',
    'empty',
    'empty_object',
    'cut_off',
    'bad_json',
    'reset_before_reading',
    'reset_after_reading',
    'hang',
    'hang_in_body',
    'refusal',
    'incomplete',
    'too_long',
  ]
  for (const fault of BROKEN) {
    it(`falls back after ${String(fault)}, and says so once`, async () => {
      emulator.setFault(fault)
      const sentBefore = emulator.requests.length
      const startedAt = performance.now()
      assert.deepEqual(await enhancer.enhance(REQUEST, never), await fallback.enhance(REQUEST, never))
      assert.ok(performance.now() - startedAt < 4000)
      assert.equal(faults.length, 1)
      assert.ok(emulator.requests.length - sentBefore === 1)
    })
  }

  it('falls back when called off', async () => {
    emulator.setLatency(5000)
    assert.deepEqual(await enhancer.enhance(REQUEST, AbortSignal.timeout(50)), await fallback.enhance(REQUEST, never))
    assert.deepEqual(await enhancer.enhance(REQUEST, AbortSignal.abort()), await fallback.enhance(REQUEST, never))
  })
})
