import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import type { Config } from '@wombat/engine'
import { CliError, messageOf } from './errors.ts'

export interface Settings {
  readonly config: Config
  /** Absolute. */
  readonly dataDir: string
  readonly envFile: string | undefined
  /** For commands that are clients of a server: which one, and with which key. */
  readonly client: { readonly url: string | undefined; readonly apiKey: string | undefined }
}

export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly envFile: string | undefined
}

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

/** All settings; throws a CliError with every fault of them. */
export async function readSettings(): Promise<Settings> {
  const { env, envFile } = readEnvironment(process.env, process.cwd())
  const { ConfigError, readConfig } = await import('@wombat/engine')
  try {
    const config = readConfig(env)
    const client = { url: env.WOMBAT_URL?.trim() || undefined, apiKey: env.WOMBAT_API_KEY?.trim() || undefined }
    return { config, dataDir: config.DATA_DIR, envFile, client }
  } catch (error) {
    throw error instanceof ConfigError ? new CliError('configuration', error.message, { cause: error }) : error
  }
}

/** The real environment over the `.env` of the current directory, or else of the checkout. DATA_DIR comes out absolute. */
export function readEnvironment(real: Readonly<Record<string, string | undefined>>, cwd: string): Environment {
  const envFile = [path.join(cwd, '.env'), path.join(CHECKOUT, '.env')].find(isFile)
  const given = envFile === undefined ? {} : fromFolder(parseFile(envFile), path.dirname(envFile))
  const env = { ...given, ...real }
  const dataDir = env.DATA_DIR?.trim() || path.join(CHECKOUT, 'data')
  return { env: { ...env, DATA_DIR: path.resolve(cwd, dataDir) }, envFile }
}

function parseFile(envFile: string): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(envFile, 'utf8')) }
  } catch (error) {
    throw new CliError('configuration', `${envFile} can't be read: ${messageOf(error)}`, { cause: error })
  }
}

/** What is a path counts from the folder of the file that says it, wherever the command is called. */
function fromFolder(given: Record<string, string | undefined>, folder: string): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const isPath = (name === 'DATA_DIR' || name.endsWith('_FILE')) && value !== undefined && value.trim() !== ''
      return [name, isPath ? path.resolve(folder, value.trim()) : value]
    }),
  )
}

function isFile(file: string): boolean {
  return existsSync(file) && statSync(file).isFile()
}
