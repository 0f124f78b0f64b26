import { MODELS, type ModelId } from '@wombat/contract'
import { type ImageProvider, openProviders, type Route } from '@wombat/generation'
import type { Config } from './config.ts'

/** Which provider serves which model of this server, and why. A lane of the queue is called after its provider. */
export interface ServedModels {
  /** Undefined when nothing serves the model here. */
  provider(model: ModelId): ImageProvider | undefined
  route(model: ModelId): Route
  readonly providers: readonly ImageProvider[]
  /** Each lane with the models that go through it. */
  readonly lanes: ReadonlyMap<string, readonly ModelId[]>
  /** Models that no lane serves: their images wait for a change of the configuration, up to their deadline. */
  readonly unserved: readonly ModelId[]
  close(): Promise<void>
}

export function openModels(config: Config): ServedModels {
  const timeoutMs = config.PROVIDER_TIMEOUT_SECONDS === undefined ? undefined : config.PROVIDER_TIMEOUT_SECONDS * 1000
  const providers = openProviders({
    synthetic: config.SYNTHETIC,
    syntheticLatencyMs: { min: config.SYNTHETIC_LATENCY_MS.minMs, max: config.SYNTHETIC_LATENCY_MS.maxMs },
    openai:
      config.OPENAI_API_KEY === undefined
        ? undefined
        : {
            apiKey: config.OPENAI_API_KEY,
            baseUrl: config.OPENAI_BASE_URL,
            model: config.OPENAI_IMAGE_MODEL,
            ...(timeoutMs === undefined ? {} : { timeoutMs: { fast: timeoutMs, medium: timeoutMs, high: timeoutMs } }),
          },
  })
  const lanes = new Map<string, ModelId[]>()
  for (const [model, { provider }] of providers.routes) {
    if (provider !== undefined) {
      lanes.set(provider, [...(lanes.get(provider) ?? []), model])
    }
  }
  return {
    provider: (model) => providers.find(model),
    route: (model) => providers.routes.get(model) ?? { provider: undefined, reason: 'not in the catalogue' },
    providers: providers.all,
    lanes,
    unserved: MODELS.map(({ id }) => id).filter((id) => providers.routes.get(id)?.provider === undefined),
    async close() {
      await providers[Symbol.asyncDispose]()
    },
  }
}
