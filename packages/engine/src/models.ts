import { MODELS, type ModelId } from '@wombat/contract'
import { type OpenModel, type OpenRoute, openProviders } from '@wombat/generation'
import type { RouteCandidate } from '@wombat/images'
import type { Config } from './config.ts'

/** Which routes serve which model of this server, and why. A lane of the queue is called after its model. */
export interface ServedModels {
  find(model: ModelId): OpenModel
  /** Undefined when no such route is configured. */
  route(name: string): OpenRoute | undefined
  /** True when its pictures are all drawn, so that faults may be acted out. */
  isSynthetic(model: ModelId): boolean
  /** Each route once. */
  readonly routes: readonly OpenRoute[]
  /** The models that are served; the images of others wait for a change of the configuration, up to their deadline. */
  readonly served: readonly OpenModel[]
  /**
   * The routes of a model in the order in which they are to be tried: by priority, and within one priority by chance,
   * as their weights say. Without those in `except`.
   */
  candidates(model: string, except?: ReadonlySet<string>): RouteCandidate[]
  close(): Promise<void>
}

export function openModels(config: Config, random: () => number = Math.random): ServedModels {
  const providers = openProviders({
    routes: config.routes,
    synthetic: config.SYNTHETIC,
    syntheticLatencyMs: { min: config.SYNTHETIC_LATENCY_MS.minMs, max: config.SYNTHETIC_LATENCY_MS.maxMs },
    leonardoPollMs: config.LEONARDO_POLL_SECONDS * 1000,
    syntheticSimulate: config.SYNTHETIC_SIMULATE,
    allowPrivateLinks: config.PROVIDER_ALLOW_PRIVATE,
    timeoutMs: config.PROVIDER_TIMEOUT_SECONDS === undefined ? undefined : config.PROVIDER_TIMEOUT_SECONDS * 1000,
  })
  const models = new Map<string, OpenModel>(providers.models)
  return {
    find: (model) => models.get(model) ?? { model, routes: [], reason: 'not in the catalogue' },
    route: (name) => providers.routes.find((route) => route.name === name),
    isSynthetic(model) {
      const { routes = [] } = models.get(model) ?? {}
      return routes.length > 0 && routes.every(({ adapter }) => adapter === 'synthetic')
    },
    routes: providers.routes,
    served: MODELS.flatMap(({ id }) => models.get(id) ?? []).filter(({ routes }) => routes.length > 0),
    candidates(model, except = new Set()) {
      const routes = models.get(model)?.routes ?? []
      return shuffle(
        routes.filter(({ name }) => !except.has(name)),
        random,
      ).map(({ name, concurrency, perMinute = null }) => ({ id: name, most: concurrency, per_minute: perMinute }))
    },
    async close() {
      await providers[Symbol.asyncDispose]()
    },
  }
}

/** Weighted sampling without replacement: each gets a key of u^(1/weight), and the largest key goes first. */
function shuffle(routes: readonly OpenRoute[], random: () => number): OpenRoute[] {
  return routes
    .map((route) => ({ route, key: Math.max(random(), Number.MIN_VALUE) ** (1 / route.weight) }))
    .sort((a, b) => a.route.priority - b.route.priority || b.key - a.key)
    .map(({ route }) => route)
}
