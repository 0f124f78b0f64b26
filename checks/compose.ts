/** docker-compose.yml as Compose reads it: anchors merged and variables put in. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

export interface Service {
  readonly image: string
  readonly profiles: readonly string[]
  readonly user?: string
  readonly entrypoint?: readonly string[]
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: string
  readonly read_only?: boolean
  readonly restart?: string
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly tmpfs?: readonly string[]
  readonly networks: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck: { readonly disable?: boolean; readonly test?: readonly string[] }
  readonly stop_grace_period?: string
  readonly logging: { readonly driver: string; readonly options: Readonly<Record<string, string>> }
  readonly deploy?: { readonly replicas: number }
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, object>>
}

const TEXT = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8')
const VARIABLE = /\$\{([A-Z][A-Z0-9_]*)(?::\?([^}]*))?\}/g

/** Throws, as Compose does, where a variable is missing. */
export function readCompose(env: Readonly<Record<string, string>>): Compose {
  return parse(
    TEXT.replace(VARIABLE, (_, name: string, message = '') => {
      const value = env[name] ?? ''
      if (value === '') {
        throw new Error(`${name}: ${message}`)
      }
      return value
    }),
    { merge: true },
  )
}

/** The variables without which Compose starts nothing. */
export function requiredVariables(): string[] {
  return [...new Set([...TEXT.matchAll(VARIABLE)].map(([, name = '']) => name))].sort()
}

/** Variables in a form that Compose would read otherwise than `readCompose`. */
export function strangeVariables(): string[] {
  return [
    ...TEXT.replace(/^ *#.*$/gm, '')
      .replace(VARIABLE, '')
      .matchAll(/\$[^\s]*/g),
  ].map(([found]) => found)
}

export function networksOf({ networks }: Service): string[] {
  return Array.isArray(networks) ? [...networks] : Object.keys(networks)
}

export function seconds(duration = ''): number {
  const [, count = '', unit = ''] = /^(\d+)([sm])$/.exec(duration) ?? []
  return Number(count) * (unit === 'm' ? 60 : 1)
}
