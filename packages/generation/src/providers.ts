import type { ModelId } from '@wombat/contract'
import { createGeminiProvider } from './gemini.ts'
import { createIdeogramProvider } from './ideogram.ts'
import { createKoalaProvider } from './koala.ts'
import { createLeonardoProvider } from './leonardo.ts'
import { createOpenAiProvider } from './openai.ts'
import type { ImageProvider } from './provider.ts'
import { type AdapterName, type Route, type ServedModel, type SyntheticPolicy, serveModels } from './routes.ts'
import { createSyntheticProvider, type SyntheticOptions } from './synthetic.ts'

export interface ProvidersConfig extends SyntheticPolicy {
  readonly routes: readonly Route[]
  readonly syntheticLatencyMs: SyntheticOptions['latencyMs']
  readonly syntheticSimulate?: SyntheticOptions['simulate']
  /** For all upstreams; each has a limit of its own when it is absent. */
  readonly timeoutMs?: number | undefined
  /** Between two looks at a job of Leonardo's. */
  readonly leonardoPollMs: number
  /** Links that upstreams return may lead to private addresses. */
  readonly allowPrivateLinks: boolean
}

/** A route with what calls its upstream. */
export interface OpenRoute extends Route {
  readonly provider: ImageProvider
}

export interface OpenModel extends Omit<ServedModel, 'routes'> {
  readonly routes: readonly OpenRoute[]
}

export interface Providers extends AsyncDisposable {
  readonly models: ReadonlyMap<ModelId, OpenModel>
  /** Each that serves at least one model, once. */
  readonly routes: readonly OpenRoute[]
}

/** Makes the provider of each route that serves something; disposing closes them. */
export function openProviders(config: ProvidersConfig): Providers {
  const opened = new Map<string, OpenRoute>()
  const open = (route: Route): OpenRoute => {
    const known = opened.get(route.name)
    if (known !== undefined) {
      return known
    }
    const made = { ...route, provider: CREATE[route.adapter](route, config) }
    opened.set(route.name, made)
    return made
  }
  const models = new Map(
    serveModels(config.routes, config).map((served): [ModelId, OpenModel] => [
      served.model,
      { ...served, routes: served.routes.map(open) },
    ]),
  )
  return {
    models,
    routes: [...opened.values()],
    async [Symbol.asyncDispose]() {
      await Promise.all([...opened.values()].map(({ provider }) => provider.close()))
    },
  }
}

const CREATE: Readonly<Record<AdapterName, (route: Route, config: ProvidersConfig) => ImageProvider>> = {
  openai: (route, config) => createOpenAiProvider({ ...access(route), ...openAiTimeouts(config) }),
  'azure-openai': (route, config) =>
    createOpenAiProvider({
      ...access(route),
      ...openAiTimeouts(config),
      azure: { apiVersion: route.apiVersion ?? AZURE_API_VERSION, deployment: route.upstreamModel ?? 'gpt-image-2' },
    }),
  'openai-compatible': (route, config) =>
    createOpenAiProvider({
      ...access(route),
      ...openAiTimeouts(config),
      isCompatible: true,
      allowPrivateLinks: config.allowPrivateLinks,
    }),
  ideogram: (route, config) => createIdeogramProvider({ ...access(route), ...links(config) }),
  gemini: (route, { timeoutMs }) =>
    createGeminiProvider({ ...access(route), ...(timeoutMs === undefined ? {} : { timeoutMs }) }),
  leonardo: (route, config) =>
    createLeonardoProvider({ ...access(route), ...links(config), pollMs: config.leonardoPollMs }),
  koala: (route, config) => createKoalaProvider({ ...access(route), ...links(config) }),
  synthetic: (_route, config) =>
    createSyntheticProvider({ latencyMs: config.syntheticLatencyMs, simulate: config.syntheticSimulate }),
}

/** A preview version, for gpt-image models are served by previews only. [?] */
const AZURE_API_VERSION = '2025-04-01-preview'

function access({ apiKey = '', baseUrl, upstreamModel }: Route) {
  return {
    apiKey,
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(upstreamModel === undefined ? {} : { model: upstreamModel }),
  }
}

function links({ timeoutMs, allowPrivateLinks }: ProvidersConfig) {
  return { allowPrivateLinks, ...(timeoutMs === undefined ? {} : { timeoutMs }) }
}

function openAiTimeouts({ timeoutMs }: ProvidersConfig) {
  return timeoutMs === undefined ? {} : { timeoutMs: { fast: timeoutMs, medium: timeoutMs, high: timeoutMs } }
}
