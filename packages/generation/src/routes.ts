import { MODELS, type ModelId } from '@wombat/contract'

export const ADAPTERS = [
  'openai',
  'azure-openai',
  'openai-compatible',
  'ideogram',
  'gemini',
  'leonardo',
  'koala',
  'synthetic',
] as const
export type AdapterName = (typeof ADAPTERS)[number]

/** An upstream with a key of the operator's, that serves one model or several. */
export interface Route {
  /** In logs, receipts and commands; unique. Its breaker is kept under this name. */
  readonly name: string
  readonly adapter: AdapterName
  readonly models: readonly ModelId[]
  readonly apiKey?: string | undefined
  readonly baseUrl?: string | undefined
  /** The upstream's own name of the model; for Azure that of the deployment. */
  readonly upstreamModel?: string | undefined
  /** Azure only. */
  readonly apiVersion?: string | undefined
  /** Of the routes of a model those with the smallest number are tried first. */
  readonly priority: number
  /** Among routes of the same priority: how large a share it gets. */
  readonly weight: number
  /** Calls at once, in all processes together. */
  readonly concurrency: number
  readonly perMinute?: number | undefined
  /** What one picture costs, where the upstream doesn't say. In US dollars. */
  readonly usdPerImage?: number | undefined
  /** For the banner: why this route serves. */
  readonly reason: string
}

const ALL: readonly ModelId[] = MODELS.map(({ id }) => id)

/** What each adapter can be asked for when nothing else is said. */
export const ADAPTER_MODELS: Readonly<Record<AdapterName, readonly ModelId[]>> = {
  openai: ['gpt-image-2'],
  'azure-openai': ['gpt-image-2'],
  'openai-compatible': ['gpt-image-2'],
  ideogram: ['ideogram-3.0'],
  gemini: ['nano-banana-2'],
  leonardo: ['standard', 'premium'],
  koala: ALL,
  synthetic: ALL,
}

/** Calls at once when nothing else is said: Ideogram allows 10 in flight (providers.md §4), the others are a guess. */
export const ADAPTER_CONCURRENCY: Readonly<Record<AdapterName, number>> = {
  openai: 8,
  'azure-openai': 8,
  'openai-compatible': 4,
  ideogram: 8,
  gemini: 8,
  leonardo: 5,
  koala: 8,
  synthetic: 16,
}

/** A model with the routes that serve it. */
export interface ServedModel {
  readonly model: ModelId
  /** In the order of their priority; empty: the model is refused. */
  readonly routes: readonly Route[]
  /** For people. */
  readonly reason: string
}

export interface SyntheticPolicy {
  /** `auto` draws what no route serves, `always` everything, `off` nothing. */
  readonly synthetic: 'auto' | 'off' | 'always'
}

/** Which environment variable would serve a model. */
const MISSING_KEYS: Readonly<Record<ModelId, string>> = {
  'gpt-image-2': 'OPENAI_API_KEY',
  'ideogram-3.0': 'IDEOGRAM_API_KEY',
  'nano-banana-2': 'GEMINI_API_KEY',
  standard: 'LEONARDO_API_KEY',
  premium: 'LEONARDO_API_KEY',
}

/** Which routes serve each model, and why. What nothing serves is drawn, unless the operator says otherwise. */
export function serveModels(routes: readonly Route[], policy: SyntheticPolicy): ServedModel[] {
  const drawn: Route = {
    name: 'synthetic',
    adapter: 'synthetic',
    models: ALL,
    priority: 1,
    weight: 1,
    concurrency: ADAPTER_CONCURRENCY.synthetic,
    reason: '',
  }
  return ALL.map((model) => {
    if (policy.synthetic === 'always') {
      return { model, routes: [drawn], reason: 'SYNTHETIC is always: synthetic pictures' }
    }
    const serving = routes.filter(({ models }) => models.includes(model)).sort((a, b) => a.priority - b.priority)
    const [first] = serving
    if (first !== undefined) {
      const others = serving.slice(1).map(({ name }) => name)
      return {
        model,
        routes: serving,
        reason: others.length === 0 ? first.reason : `${first.reason}; also ${others.join(', ')}`,
      }
    }
    const reason = `${MISSING_KEYS[model]} is not set`
    return policy.synthetic === 'off'
      ? { model, routes: [], reason }
      : { model, routes: [drawn], reason: `${reason}: synthetic pictures` }
  })
}

/**
 * The hosted API stands for five upstreams behind one key: a route for each of its models, so that one of them that is slow
 * or away holds up no other. Other routes stay as they are.
 */
export function splitByModel(route: Route): Route[] {
  return route.adapter === 'koala' && route.models.length > 1
    ? route.models.map((model) => ({ ...route, name: `${route.name}-${model}`, models: [model] }))
    : [route]
}
