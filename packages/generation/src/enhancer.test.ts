import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { STYLES } from '@wombat/contract'
import { createLocalEnhancer, type EnhanceRequest } from './enhancer.ts'

const enhancer = createLocalEnhancer()

function enhance(request: Partial<EnhanceRequest>) {
  const whole = { prompt: 'a fox', style: 'photo', styleGiven: false, enhance: true, alt: true, ...request } as const
  return enhancer.enhance(whole, new AbortController().signal)
}

describe('the local enhancer', () => {
  it('joins prompt and style phrase', async () => {
    const { prompt, alt } = await enhance({ style: 'watercolor', styleGiven: true })
    assert.match(prompt, /^a fox, watercolor painting, /)
    assert.equal(alt, 'A watercolor painting of a fox')
  })

  it('takes an absent style for a photo while enhancement is on', async () => {
    assert.match((await enhance({})).prompt, /^a fox, realistic photograph/)
    assert.equal((await enhance({})).alt, 'A photo of a fox')
  })

  it('adds a phrase with enhancement off only if the client sent the style itself', async () => {
    const plain = await enhance({ enhance: false, prompt: 'an oil painting of a ship' })
    assert.deepEqual(plain, { prompt: 'an oil painting of a ship', alt: 'An oil painting of a ship' })
    assert.match((await enhance({ enhance: false, styleGiven: true, style: 'anime' })).prompt, /^a fox, anime style/)
  })

  it('leaves the prompt as it is for general and none', async () => {
    for (const style of ['general', 'none'] as const) {
      assert.deepEqual(await enhance({ style, styleGiven: true }), { prompt: 'a fox', alt: 'An image of a fox' })
    }
  })

  it('starts a sentence of its own after a sentence', async () => {
    assert.match((await enhance({ prompt: 'A fox sleeps.' })).prompt, /^A fox sleeps\. Realistic photograph/)
    assert.match((await enhance({ prompt: 'A fox, ' })).prompt, /^A fox, realistic/)
  })

  it('never makes a prompt longer than an image model takes', async () => {
    const prompt = 'x'.repeat(31_990)
    assert.equal((await enhance({ prompt })).prompt, prompt)
  })

  it('knows words for every style', async () => {
    for (const style of STYLES) {
      assert.ok((await enhance({ style, styleGiven: true })).alt.endsWith('a fox'), style)
    }
  })
})
