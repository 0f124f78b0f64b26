import { MODELS, type ModelId } from '@wombat/contract'
import { createOpenAiProvider, type OpenAiOptions } from './openai.ts'
import type { ImageProvider } from './provider.ts'
import { createSyntheticProvider, type SyntheticOptions } from './synthetic.ts'

export interface ProvidersConfig {
  readonly openai?: OpenAiOptions | undefined
  /** `auto` paints what no provider serves, `always` everything, `off` nothing. */
  readonly synthetic: 'auto' | 'off' | 'always'
  readonly syntheticLatencyMs: SyntheticOptions['latencyMs']
}

export type ProviderName = 'openai' | 'synthetic'

export interface Route {
  /** Undefined: the model is not served. */
  readonly provider: ProviderName | undefined
  /** For people, in the banner. */
  readonly reason: string
}

export interface Providers extends AsyncDisposable {
  readonly routes: ReadonlyMap<ModelId, Route>
  /** Each that serves at least one model, once. */
  readonly all: readonly ImageProvider[]
  /** Undefined when nothing serves the model. */
  find(model: ModelId): ImageProvider | undefined
}

/** Says which provider serves each model, and why. */
export function resolveRoutes(config: Pick<ProvidersConfig, 'openai' | 'synthetic'>): Map<ModelId, Route> {
  return new Map(MODELS.map(({ id }) => [id, resolveRoute(id, config)]))
}

function resolveRoute(model: ModelId, config: Pick<ProvidersConfig, 'openai' | 'synthetic'>): Route {
  if (config.synthetic === 'always') {
    return { provider: 'synthetic', reason: 'SYNTHETIC is always: synthetic pictures' }
  }
  const real = realRoute(model, config)
  if (real.provider !== undefined || config.synthetic === 'off') {
    return real
  }
  return { provider: 'synthetic', reason: `${real.reason}: synthetic pictures` }
}

function realRoute(model: ModelId, config: Pick<ProvidersConfig, 'openai'>): Route {
  switch (model) {
    case 'gpt-image-2':
      if (config.openai) {
        return { provider: 'openai', reason: 'OPENAI_API_KEY is set' }
      }
      return { provider: undefined, reason: 'OPENAI_API_KEY is not set' }
    case 'ideogram-3.0':
      return { provider: undefined, reason: 'no adapter for Ideogram yet' }
    case 'nano-banana-2':
      return { provider: undefined, reason: 'no adapter for Gemini yet' }
    case 'standard':
    case 'premium':
      return { provider: undefined, reason: 'no adapter for Leonardo yet' }
  }
}

/** Makes each provider that a route needs; disposing closes them. */
export function openProviders(config: ProvidersConfig): Providers {
  const routes = resolveRoutes(config)
  const made = new Map<ProviderName, ImageProvider>()
  for (const { provider } of routes.values()) {
    if (provider !== undefined && !made.has(provider)) {
      made.set(provider, create(provider, config))
    }
  }
  return {
    routes,
    all: [...made.values()],
    find(model) {
      const name = routes.get(model)?.provider
      return name && made.get(name)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...made.values()].map((provider) => provider.close()))
    },
  }
}

function create(name: ProviderName, config: ProvidersConfig): ImageProvider {
  switch (name) {
    case 'openai':
      if (!config.openai) {
        throw new Error('the route to OpenAI needs its configuration')
      }
      return createOpenAiProvider(config.openai)
    case 'synthetic':
      return createSyntheticProvider({ latencyMs: config.syntheticLatencyMs })
  }
}
