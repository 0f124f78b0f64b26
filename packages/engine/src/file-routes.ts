import { readFileSync } from 'node:fs'
import { isModelId, MODELS, type ModelId } from '@wombat/contract'
import { ADAPTER_CONCURRENCY, ADAPTER_MODELS, ADAPTERS, type AdapterName, type Route } from '@wombat/generation'
import { parse } from 'yaml'

type Env = Readonly<Record<string, string | undefined>>

/** What is wrong in wombat.yaml, a line each. */
export class RoutesFileError extends Error {
  override readonly name = 'RoutesFileError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

/**
 * The routes of a file such as wombat.yaml (docs/providers.md), in the order in which they are to be tried; undefined
 * when there is no such file. `${NAME}` in a value stands for a variable of the environment. Throws RoutesFileError.
 */
export function readRoutesFile(file: string, env: Env): Route[] | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return undefined
    }
    throw new RoutesFileError([`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  let content: unknown
  try {
    content = parse(text)
  } catch (error) {
    throw new RoutesFileError([`${file} is no YAML: ${firstLine(error)}`])
  }
  return toRoutes(content, { file, env })
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? ''
}

function toRoutes(content: unknown, { file, env }: { file: string; env: Env }): Route[] {
  const faults: string[] = []
  const fault = (text: string) => faults.push(`${file}: ${text}`)
  if (!isMapping(content) || !Array.isArray(content.routes) || Object.keys(content).some((key) => key !== 'routes')) {
    throw new RoutesFileError([`${file} takes one key, "routes", with a list of routes`])
  }
  const routes = content.routes.flatMap((entry: unknown, index: number) => {
    const reader = new EntryReader(entry, `routes[${index}]`, { env, fault })
    return reader.read(index)
  })
  const names = routes.map(({ name }) => name)
  for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index))) {
    fault(`two routes are called "${name}": give each a "name" of its own`)
  }
  if (faults.length > 0) {
    throw new RoutesFileError(faults)
  }
  return routes
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const FIELDS = [
  'name',
  'adapter',
  'models',
  'key',
  'keys',
  'baseUrl',
  'model',
  'apiVersion',
  'priority',
  'weight',
  'concurrency',
  'perMinute',
  'usdPerImage',
]

/** Reads one entry, and says of each field what it takes. */
class EntryReader {
  readonly #entry: Readonly<Record<string, unknown>>
  readonly #where: string
  readonly #env: Env
  readonly #fault: (text: string) => void

  constructor(entry: unknown, where: string, options: { env: Env; fault: (text: string) => void }) {
    this.#entry = isMapping(entry) ? entry : {}
    this.#where = where
    this.#env = options.env
    this.#fault = options.fault
  }

  read(index: number): Route[] {
    for (const field of Object.keys(this.#entry)) {
      if (!FIELDS.includes(field)) {
        this.#refuse(field, `is no field of a route; it takes ${FIELDS.join(', ')}`)
      }
    }
    const adapter = this.#adapter()
    if (adapter === undefined) {
      return []
    }
    const name = this.#text('name') ?? adapter
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
      this.#refuse('name', 'takes up to 64 small letters, digits, dots, dashes and underscores')
    }
    const route: Route = {
      name,
      adapter,
      models: this.#models(adapter),
      baseUrl: this.#url(adapter),
      upstreamModel: this.#text('model'),
      apiVersion: this.#text('apiVersion'),
      priority: this.#number('priority', { min: 0, max: 1000 }) ?? index + 1,
      weight: this.#number('weight', { min: 0.001, max: 1000 }) ?? 1,
      concurrency: this.#number('concurrency', { min: 1, max: 1000, isWhole: true }) ?? ADAPTER_CONCURRENCY[adapter],
      perMinute: this.#number('perMinute', { min: 0.01, max: 100_000 }),
      usdPerImage: this.#number('usdPerImage', { min: 0, max: 100 }),
      reason: `route ${name}`,
    }
    const keys = this.#keys(adapter)
    return keys.length === 1
      ? [{ ...route, apiKey: keys[0] }]
      : keys.map((apiKey, place) => ({ ...route, name: `${name}-${place + 1}`, apiKey }))
  }

  #refuse(field: string, what: string): void {
    this.#fault(`${this.#where}.${field} ${what}`)
  }

  #adapter(): AdapterName | undefined {
    const text = this.#text('adapter')
    const adapter = ADAPTERS.find((one) => one === text)
    if (adapter === undefined) {
      this.#refuse('adapter', `takes one of ${ADAPTERS.join(', ')}`)
    }
    return adapter
  }

  #models(adapter: AdapterName): readonly ModelId[] {
    const { models } = this.#entry
    if (models === undefined) {
      return ADAPTER_MODELS[adapter]
    }
    if (!Array.isArray(models) || models.length === 0) {
      this.#refuse('models', 'takes a list of models')
      return []
    }
    return models.flatMap((model: unknown) => {
      if (typeof model === 'string' && isModelId(model)) {
        return [model]
      }
      this.#refuse('models', `has ${JSON.stringify(model)}; it takes ${MODELS.map(({ id }) => id).join(', ')}`)
      return []
    })
  }

  #keys(adapter: AdapterName): readonly string[] {
    const { keys } = this.#entry
    if (keys !== undefined) {
      if (!Array.isArray(keys) || keys.length === 0 || !keys.every((one) => typeof one === 'string' && one !== '')) {
        this.#refuse('keys', 'takes a list of keys')
        return []
      }
      return keys.map((one: string) => this.#expand('keys', one))
    }
    const key = this.#text('key')
    if (key !== undefined) {
      return [key]
    }
    if (adapter === 'synthetic' || adapter === 'openai-compatible') {
      return ['']
    }
    this.#refuse('key', `is missing: ${adapter} needs one, such as $\{MY_KEY}`)
    return []
  }

  #url(adapter: AdapterName): string | undefined {
    const text = this.#text('baseUrl')
    if (text === undefined) {
      if (adapter === 'azure-openai' || adapter === 'openai-compatible') {
        this.#refuse('baseUrl', `is missing: ${adapter} needs one`)
      }
      return undefined
    }
    const url = URL.parse(text)
    if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '') {
      this.#refuse('baseUrl', 'takes an http or https URL without user name or query')
      return undefined
    }
    return url.href.replace(/\/+$/, '')
  }

  #text(field: string): string | undefined {
    const value = this.#entry[field]
    if (value === undefined || value === null) {
      return undefined
    }
    if (typeof value !== 'string' || value.trim() === '') {
      this.#refuse(field, 'takes a text')
      return undefined
    }
    return this.#expand(field, value.trim())
  }

  /** A variable that is missing is a fault: a key that is empty by accident must not be found out by its failures. */
  #expand(field: string, text: string): string {
    return text.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_all, name: string) => {
      const value = this.#env[name]?.trim() ?? ''
      if (value === '') {
        this.#refuse(field, `needs the variable ${name}, which is not set`)
      }
      return value
    })
  }

  #number(field: string, range: { min: number; max: number; isWhole?: boolean }): number | undefined {
    const value = this.#entry[field]
    if (value === undefined || value === null) {
      return undefined
    }
    const isTaken = typeof value === 'number' && value >= range.min && value <= range.max
    if (!isTaken || (range.isWhole === true && !Number.isInteger(value))) {
      const kind = range.isWhole === true ? 'a whole number' : 'a number'
      this.#refuse(field, `takes ${kind} from ${range.min} to ${range.max}`)
      return undefined
    }
    return value
  }
}
