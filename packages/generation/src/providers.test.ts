import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MODELS } from '@wombat/contract'
import { openProviders } from './providers.ts'
import { type Route, serveModels } from './routes.ts'

const OPENAI: Route = {
  name: 'openai',
  adapter: 'openai',
  models: ['gpt-image-2'],
  apiKey: 'sk-test',
  priority: 1,
  weight: 1,
  concurrency: 8,
  reason: 'OPENAI_API_KEY is set',
}
const SETTINGS = { syntheticLatencyMs: { min: 0, max: 0 }, allowPrivateLinks: false, leonardoPollMs: 3000 }

function served(routes: readonly Route[], synthetic: 'auto' | 'off' | 'always') {
  return new Map(serveModels(routes, { synthetic }).map((model) => [model.model, model]))
}

function namesOf(model: { routes: readonly Route[] } | undefined): string[] {
  return model?.routes.map(({ name }) => name) ?? []
}

describe('serveModels', () => {
  it('draws every model when there is no key, and says why', () => {
    const models = served([], 'auto')
    assert.deepEqual(
      [...models.keys()],
      MODELS.map(({ id }) => id),
    )
    assert.ok([...models.values()].every((model) => namesOf(model).join() === 'synthetic'))
    assert.equal(models.get('gpt-image-2')?.reason, 'OPENAI_API_KEY is not set: synthetic pictures')
    assert.equal(models.get('premium')?.reason, 'LEONARDO_API_KEY is not set: synthetic pictures')
  })

  it('gives a model to its routes, the smallest priority first, and never draws it beside them', () => {
    const second: Route = { ...OPENAI, name: 'azure', adapter: 'azure-openai', priority: 0, reason: 'route azure' }
    const models = served([OPENAI, second], 'auto')
    assert.deepEqual(namesOf(models.get('gpt-image-2')), ['azure', 'openai'])
    assert.equal(models.get('gpt-image-2')?.reason, 'route azure; also openai')
    assert.deepEqual(namesOf(models.get('nano-banana-2')), ['synthetic'])
  })

  it('serves nothing else when synthetic pictures are off', () => {
    const models = served([OPENAI], 'off')
    assert.deepEqual(
      [...models.values()].filter(({ routes }) => routes.length > 0).map(({ model }) => model),
      ['gpt-image-2'],
    )
    assert.equal(models.get('premium')?.reason, 'LEONARDO_API_KEY is not set')
  })

  it('leaves a key unused when synthetic pictures are always wanted', () => {
    assert.ok([...served([OPENAI], 'always').values()].every((model) => namesOf(model).join() === 'synthetic'))
  })
})

describe('openProviders', () => {
  it('makes the provider of each route once', async () => {
    const leonardo: Route = { ...OPENAI, name: 'leonardo', adapter: 'leonardo', models: ['standard', 'premium'] }
    await using providers = openProviders({ ...SETTINGS, routes: [OPENAI, leonardo], synthetic: 'auto' })
    assert.deepEqual(
      providers.routes.map(({ name, provider }) => [name, provider.name, provider.isPaid]),
      [
        ['openai', 'openai', true],
        ['synthetic', 'synthetic', false],
        ['leonardo', 'leonardo', true],
      ],
    )
    assert.equal(providers.models.get('standard')?.routes[0], providers.models.get('premium')?.routes[0])
  })

  it('makes none for what is not served', async () => {
    await using providers = openProviders({ ...SETTINGS, routes: [], synthetic: 'off' })
    assert.deepEqual(providers.routes, [])
    assert.deepEqual(providers.models.get('gpt-image-2')?.routes, [])
  })
})
