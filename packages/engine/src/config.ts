import { readFileSync } from 'node:fs'
import { isModelId } from '@wombat/contract'
import { type Route, splitByModel } from '@wombat/generation'
import { FormatError } from './config-parsers.ts'
import { VARIABLES, type Values, type Variable } from './config-variables.ts'
import { envRoutes } from './env-routes.ts'
import { RoutesFileError, readRoutesFile } from './file-routes.ts'
import { storeContradictions } from './open-store.ts'

/** All settings by the names they have in the environment, parsed, with their defaults. */
export type Config = Values & {
  /** What to tell the operator: names that look like ours and aren't, settings without effect. */
  readonly warnings: readonly string[]
  /** Every upstream with a key, from ROUTES_FILE and the environment. */
  readonly routes: readonly Route[]
}

/** The name and default of every setting, as `.env.example` lists them. */
export const CONFIG_VARIABLES: readonly { name: string; default: unknown; isSecret: boolean }[] = Object.entries(
  VARIABLES,
).map(([name, variable]) => ({ name, default: variable.default, isSecret: 'isSecret' in variable }))

/** All faults of the configuration at once, a line each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly string[]

  /** `notes`: what may explain them, such as a mistyped name. */
  constructor(faults: readonly string[], notes: readonly string[] = []) {
    super(
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${[...faults, ...notes].map((line) => `  ${line}`).join('\n')}`,
    )
    this.faults = faults
  }
}

/** Reads the settings from an environment. Empty counts as unset. Throws ConfigError. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, variable] of Object.entries(VARIABLES)) {
    values[name] = readOne(env, name, variable, faults)
  }
  const parsed = toValues(values)
  const config = { ...parsed, warnings: findWarnings(env), routes: collectRoutes(parsed, env, faults) }
  faults.push(...contradictions(config))
  if (faults.length > 0) {
    throw new ConfigError(faults, config.warnings)
  }
  return config
}

/** Every name was read from VARIABLES, with the parser that its type is made of. */
function toValues(values: Record<string, unknown>): Values {
  return values as Values
}

function readOne(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  variable: Variable<unknown>,
  faults: string[],
): unknown {
  let given = env[name]?.trim()
  const file = variable.isSecret === true ? env[`${name}_FILE`]?.trim() : undefined
  if (file !== undefined && file !== '') {
    if (given !== undefined && given !== '') {
      faults.push(`${name} and ${name}_FILE are both set: give one of them`)
      return variable.default
    }
    try {
      given = readFileSync(file, 'utf8').trim()
    } catch {
      faults.push(`${name}_FILE is "${file}", which can't be read: it takes the path of a file with the value`)
      return variable.default
    }
  }
  if (given === undefined || given === '') {
    return variable.default
  }
  try {
    return variable.parse(given)
  } catch (error) {
    if (!(error instanceof FormatError)) {
      throw error
    }
    const shown = variable.isSecret === true ? 'given, but not shown here' : `"${given.slice(0, 64)}"`
    faults.push(`${name} is ${shown}: it takes ${error.message}`)
    return variable.default
  }
}

/** A model that the file serves is served by it alone: what the environment has for it would come as a surprise. */
function collectRoutes(
  values: Values,
  env: Readonly<Record<string, string | undefined>>,
  faults: string[],
): readonly Route[] {
  const ours = envRoutes(values).flatMap(splitByModel)
  let filed: Route[] | undefined
  try {
    filed = readRoutesFile(values.ROUTES_FILE, env)?.flatMap(splitByModel)
  } catch (error) {
    if (!(error instanceof RoutesFileError)) {
      throw error
    }
    faults.push(...error.faults)
  }
  if (filed === undefined) {
    if ((env.ROUTES_FILE ?? '').trim() !== '' && faults.length === 0 && values.ROUTES_FILE !== './wombat.yaml') {
      faults.push(`ROUTES_FILE is "${values.ROUTES_FILE}", which does not exist: it takes the path of a YAML file`)
    }
    return ours
  }
  const taken = new Set(filed.flatMap(({ models }) => models))
  const rest = ours
    .map((route) => ({ ...route, models: route.models.filter((model) => !taken.has(model)) }))
    .filter(({ models }) => models.length > 0)
  const names = new Set(filed.map(({ name }) => name))
  return [...filed, ...rest.map((route) => (names.has(route.name) ? { ...route, name: `${route.name}-env` } : route))]
}

function contradictions(config: Values & { routes: readonly Route[] }): string[] {
  const faults: string[] = []
  for (const [alias, model] of config.MODEL_ALIASES) {
    if (!isModelId(model)) {
      faults.push(`MODEL_ALIASES maps "${alias}" to "${model}", which is no model`)
    }
  }
  if (config.IMAGE_WAIT_MODE === 'block' && config.IMAGE_SOFT_WAIT_SECONDS > config.IMAGE_MAX_WAIT_SECONDS) {
    faults.push(
      `IMAGE_SOFT_WAIT_SECONDS (${config.IMAGE_SOFT_WAIT_SECONDS}) is more than IMAGE_MAX_WAIT_SECONDS (${config.IMAGE_MAX_WAIT_SECONDS})`,
    )
  }
  faults.push(...storeContradictions(config))
  if (config.SYNTHETIC === 'off' && config.routes.length === 0) {
    faults.push('SYNTHETIC is "off" and no provider has a key: set OPENAI_API_KEY, or leave SYNTHETIC at "auto"')
  }
  return faults
}

const OUR_PREFIXES =
  /^(WOMBAT|IMAGE|SYNTHETIC|BOOTSTRAP|RATE_LIMIT|WAITERS|GENERATION|RETAIN|ALT_TEXT|RETRY|LEASE|BREAKER|PROVIDER|DELETE|MODERATION|WEBHOOK|S3|METRICS|SHUTDOWN)_/

function findWarnings(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.keys(VARIABLES)
  const warnings: string[] = []
  for (const name of Object.keys(env)) {
    const base = name.replace(/_FILE$/, '')
    if (known.includes(name) || known.includes(base) || env[name] === '') {
      continue
    }
    const near = known.find((one) => one.length >= 6 && isNear(one, name))
    if (near !== undefined) {
      warnings.push(`${name} is no setting; did you mean ${near}?`)
    } else if (OUR_PREFIXES.test(name) && !name.startsWith('WOMBAT_TEST_') && !CLIENT_VARIABLES.includes(name)) {
      warnings.push(`${name} is no setting of Wombat and has no effect`)
    }
  }
  return warnings
}

/** Read by the command line only. */
const CLIENT_VARIABLES = ['WOMBAT_API_KEY', 'WOMBAT_URL', 'WOMBAT_SERVER', 'WOMBAT_ADMIN_TOKEN']

/** True when one letter or two swapped neighbours make the difference. */
function isNear(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) {
    return false
  }
  let start = 0
  while (start < a.length && a[start] === b[start]) {
    start += 1
  }
  let end = 0
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) {
    end += 1
  }
  const [left, right] = [a.slice(start, a.length - end), b.slice(start, b.length - end)]
  const isSwap = left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0]
  return isSwap || (left.length <= 1 && right.length <= 1)
}
