import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createAccount, createKey, type KeyLimits } from '@wombat/accounts'
import { type Database, openDatabase } from '@wombat/database'
import { createLogger, type Engine, readConfig } from '@wombat/engine'
import { changeBalance, findBalance } from '@wombat/ledger'
import { type Role, runWombat } from '@wombat/server'
import { type Home, type OwnedHome, openHome, shareHome } from './home.ts'
import { type Answer, post, type SendOptions, send } from './send.ts'

export interface StartOptions {
  /** Settings by their names in the environment; they win over the fixture's own. */
  readonly env?: Readonly<Record<string, string>>
  /** `all` unless given. */
  readonly role?: Role
  /** Another server whose home and API key this one shares. That one must be stopped last. */
  readonly beside?: Home & { readonly accountId: string; readonly apiKey: string }
}

export interface NewAccount {
  readonly plan?: string
  readonly credits?: number
  readonly rateLimitPerMinute?: number
  /** The key's own. */
  readonly keyRateLimitPerMinute?: number
  readonly expiresAt?: Date
  /** What the key may do less than its account. */
  readonly limits?: Partial<KeyLimits>
}

export interface TestAccount {
  readonly accountId: string
  readonly apiKey: string
  readonly keyId: string
}

/** What a test does with a server, wherever it runs. */
interface Tools extends Home {
  readonly url: string
  /** For looking behind the server's back. */
  readonly db: Database
  /** A professional account with 1000 credits, or BOOTSTRAP_CREDITS. */
  readonly accountId: string
  readonly apiKey: string
  /** Professional with 1000 credits, unless told otherwise. */
  createAccount(account?: NewAccount): Promise<TestAccount>
  /** POSTs a body to /api/image-generation/ with the first account's key, unless told otherwise. */
  post(body: unknown, options?: SendOptions): Promise<Answer>
  /** GETs a path, or an image's URL at this server, wherever it says that it is. Redirects are not followed. */
  get(pathOrUrl: string, init?: RequestInit): Promise<Answer>
  /** In credits, from the database; of the first account, unless told otherwise. */
  balance(accountId?: string): Promise<number>
  [Symbol.asyncDispose](): Promise<void>
}

export interface TestServer extends Tools {
  readonly engine: Engine
  /** Of a worker with METRICS_PORT. */
  readonly metricsUrl: string | undefined
  /** Stops the server. The database and the data directory stay until it is disposed of. */
  stop(): Promise<void>
}

export interface SpawnedServer extends Tools {
  readonly pid: number
  /** What it has written to stdout and stderr, in all of its lives. */
  readonly output: string
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** SIGTERM, waits until it is gone, and answers its exit code. */
  stop(): Promise<number | null>
  /** Starts it again after `kill` or `stop`, on the same database, data directory and port. */
  start(env?: Readonly<Record<string, string>>): Promise<void>
}

/** Quick, and without limits that a test would meet by accident. */
const DEFAULTS = {
  PORT: '0',
  HOST: '127.0.0.1',
  SYNTHETIC_LATENCY_MS: '0',
  RATE_LIMIT_PER_MINUTE: '1000000',
  AUTH_FAILURES_PER_MINUTE: '1000000',
  NOT_FOUND_PER_MINUTE: '1000000',
  SHUTDOWN_GRACE_SECONDS: '1',
  LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
}

const SERVE = fileURLToPath(new URL('./serve.ts', import.meta.url))

/** Starts the real server in this process, on a database and a data directory of its own. */
export async function startTestServer(options: StartOptions = {}): Promise<TestServer> {
  await using home = await findHome(options)
  const config = readConfig({ ...DEFAULTS, ...home.parts, ...options.env })
  const log = await createLogger({ level: config.LOG_LEVEL, format: config.LOG_FORMAT })
  const { databaseUrl, dataDir } = home
  const running = await runWombat(config, { databaseUrl, dataDir, role: options.role ?? 'all', log })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= running.stop()
    return stopped
  }
  const owned = home.move()
  const first = { accountId: running.bootstrap?.accountId, apiKey: running.bootstrap?.apiKey, ...pickFirst(options) }
  return {
    engine: running.engine,
    metricsUrl: running.metricsUrl,
    stop,
    ...createTools(owned, { db: running.engine.db, ...first, origin: () => running.url ?? '' }),
    get url() {
      return running.url ?? ''
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await owned[Symbol.asyncDispose]()
    },
  }
}

/** Starts the real server in a process of its own, which can be killed and started again. It ends with this process. */
export async function spawnTestServer(options: StartOptions = {}): Promise<SpawnedServer> {
  await using home = await findHome(options)
  const { databaseUrl, dataDir, parts } = home
  let output = ''
  let port = '0'
  const launch = (env: Readonly<Record<string, string>> = {}) =>
    launchProcess(
      { ...DEFAULTS, PORT: port, DATABASE_URL: databaseUrl, DATA_DIR: dataDir, ...parts, ...options.env, ...env },
      { role: options.role ?? 'all', onOutput: (text) => (output += text) },
    )
  let life = await launch()
  port = life.url === '' ? '0' : new URL(life.url).port
  const owned = home.move()
  const db = openDatabase({ url: databaseUrl, poolSize: 2, applicationName: 'wombat check', onError: () => {} })
  const first = { accountId: life.accountId, apiKey: life.apiKey, ...pickFirst(options) }
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    const { child } = life
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
    }
    return child.exitCode
  }
  return {
    ...createTools(owned, { db, ...first, origin: () => life.url }),
    get url() {
      return life.url
    },
    get pid() {
      return life.child.pid ?? 0
    },
    get output() {
      return output
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    async start(env) {
      life = await launch(env)
    },
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      await db.close()
      await owned[Symbol.asyncDispose]()
    },
  }
}

function pickFirst({ beside }: StartOptions): { accountId?: string; apiKey?: string } {
  return beside === undefined ? {} : { accountId: beside.accountId, apiKey: beside.apiKey }
}

async function findHome({ beside, env }: StartOptions): Promise<OwnedHome> {
  return beside === undefined ? await openHome(env) : shareHome(beside)
}

function createTools(
  { databaseUrl, dataDir, parts, holds, loseJobs }: Home,
  server: {
    db: Database
    accountId?: string | undefined
    apiKey?: string | undefined
    origin: () => string
  },
): Omit<Tools, 'url' | typeof Symbol.asyncDispose> {
  const { db, accountId = '', apiKey = '', origin } = server
  return {
    databaseUrl,
    dataDir,
    parts,
    holds,
    loseJobs,
    db,
    accountId,
    apiKey,
    async createAccount({ plan = 'professional', credits = 1000, ...limits } = {}) {
      const { id } = await createAccount(db, { name: 'check', plan, rateLimitPerMinute: limits.rateLimitPerMinute })
      if (credits > 0) {
        await changeBalance(db, { accountId: id, kind: 'grant', credits })
      }
      const { expiresAt, keyRateLimitPerMinute } = limits
      const key = await createKey(db, {
        accountId: id,
        rateLimitPerMinute: keyRateLimitPerMinute,
        limits: limits.limits,
        ...(expiresAt === undefined ? {} : { expiresAt }),
      })
      return { accountId: id, ...key }
    },
    post: (body, options) => post(origin(), body, { key: apiKey, ...options }),
    get: (pathOrUrl, init) => send(origin() + pathOrUrl.replace(/^https?:\/\/[^/]+/, ''), { method: 'GET', ...init }),
    balance: (id) => findBalance(db, id ?? accountId),
  }
}

interface Life {
  readonly child: ChildProcess
  readonly url: string
  readonly accountId: string | undefined
  readonly apiKey: string | undefined
}

const READY = 'wombat is ready: '

async function launchProcess(
  env: Readonly<Record<string, string>>,
  { role, onOutput }: { role: Role; onOutput: (text: string) => void },
): Promise<Life> {
  // Its input is ours: it ends when this process does, however that happens.
  const child = spawn(process.execPath, [SERVE, role], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Compiled modules are kept for all test processes: to load the server takes half the time then.
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, ...env },
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
    onOutput(text)
  })
  const ready = new Promise<string>((resolve, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`the server ended with ${signal ?? code}: ${errors}`)))
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith(READY)) {
        resolve(line.slice(READY.length))
      } else {
        onOutput(`${line}\n`)
      }
    })
  })
  const said = JSON.parse(await ready) as Omit<Life, 'child'>
  assert.equal(typeof said.url, 'string')
  return { child, ...said }
}
