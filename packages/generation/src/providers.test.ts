import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MODELS } from '@wombat/contract'
import { openProviders, resolveRoutes } from './providers.ts'

const openai = { apiKey: 'sk-test' }
const syntheticLatencyMs = { min: 0, max: 0 }

describe('resolveRoutes', () => {
  it('serves every model with synthetic pictures when there is no key, and says why', () => {
    const routes = resolveRoutes({ synthetic: 'auto' })
    assert.deepEqual(
      [...routes.keys()],
      MODELS.map(({ id }) => id),
    )
    assert.ok([...routes.values()].every(({ provider }) => provider === 'synthetic'))
    assert.equal(routes.get('gpt-image-2')?.reason, 'OPENAI_API_KEY is not set: synthetic pictures')
    assert.equal(routes.get('ideogram-3.0')?.reason, 'no adapter for Ideogram yet: synthetic pictures')
  })

  it('gives gpt-image-2 to OpenAI when there is a key', () => {
    const routes = resolveRoutes({ openai, synthetic: 'auto' })
    assert.deepEqual(routes.get('gpt-image-2'), { provider: 'openai', reason: 'OPENAI_API_KEY is set' })
    assert.equal(routes.get('nano-banana-2')?.provider, 'synthetic')
  })

  it('serves nothing else when synthetic pictures are off', () => {
    const routes = resolveRoutes({ openai, synthetic: 'off' })
    assert.deepEqual(
      [...routes].filter(([, { provider }]) => provider).map(([model]) => model),
      ['gpt-image-2'],
    )
    assert.equal(routes.get('premium')?.reason, 'no adapter for Leonardo yet')
  })

  it('leaves a key unused when synthetic pictures are always wanted', () => {
    const routes = resolveRoutes({ openai, synthetic: 'always' })
    assert.ok([...routes.values()].every(({ provider }) => provider === 'synthetic'))
  })
})

describe('openProviders', () => {
  it('makes each provider once and finds it by model', async () => {
    await using providers = openProviders({ openai, synthetic: 'auto', syntheticLatencyMs })
    assert.deepEqual(
      providers.all.map(({ name, isPaid }) => [name, isPaid]),
      [
        ['openai', true],
        ['synthetic', false],
      ],
    )
    assert.equal(providers.find('gpt-image-2')?.name, 'openai')
    assert.equal(providers.find('standard'), providers.find('premium'))
  })

  it('finds nothing for a model that nothing serves', async () => {
    await using providers = openProviders({ synthetic: 'off', syntheticLatencyMs })
    assert.deepEqual(providers.all, [])
    assert.equal(providers.find('gpt-image-2'), undefined)
  })
})
