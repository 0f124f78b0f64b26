import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, open, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Database, openDatabase } from '@wombat/database'
import { joinEmbeddedPostgres } from '@wombat/embedded'
import type { ServerAnswer, ServerCommand } from './server-child.ts'

/** A durable PostgreSQL in a temporary directory, and the servers that are started against it. All of it goes at the end. */
export interface Rig extends AsyncDisposable {
  readonly dataDir: string
  readonly socketDir: string
  readonly databaseUrl: string
  /** Starts a server as a child process on a free port. The settings are those of `.env`. */
  startServer(role: 'api' | 'all', settings?: Readonly<Record<string, string>>): Promise<BenchedServer>
  /** Opened at the first call, which must come after the first server has migrated. */
  database(): Database
}

export interface BenchedServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Asks the child; see server-child.ts. */
  ask<Kind extends 'memory' | 'now'>(kind: Kind): Promise<Extract<ServerAnswer, { kind: Kind }>>
}

const CHILD = fileURLToPath(new URL('server-child.ts', import.meta.url))
const STOP_MS = 20_000

/** `profileDir`: the servers leave a CPU profile there when they end. */
export async function openRig({ profileDir }: { profileDir: string | undefined }): Promise<Rig> {
  await using stack = new AsyncDisposableStack()
  const dataDir = stack.adopt(await makeDirectory(), (dir) => rm(dir, { recursive: true, force: true, maxRetries: 5 }))
  const postgres = stack.use(await joinEmbeddedPostgres({ dataDir, purpose: 'bench' }))
  let db: Database | undefined
  stack.defer(async () => db?.close())
  const servers = stack.use(new AsyncDisposableStack())
  const opened = stack.move()
  let closed: Promise<void> | undefined
  const close = () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    closed ??= opened.disposeAsync()
    return closed
  }
  // PostgreSQL would outlive us.
  const onSignal = () => void close().then(() => process.exit(1))
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    dataDir,
    socketDir: postgres.socketDir,
    databaseUrl: postgres.url,
    async startServer(role, settings = {}) {
      const env = { ...NO_LIMITS, ...settings, DATABASE_URL: postgres.url, DATA_DIR: dataDir, WOMBAT_BENCH_ROLE: role }
      const server = await startChild(env, { dataDir, profileDir })
      return servers.use(server)
    },
    database() {
      // What breaks in use fails there. At the end PostgreSQL may cut a connection that is just being closed.
      const onError = () => {}
      db ??= openDatabase({ url: postgres.url, poolSize: 8, applicationName: 'wombat bench', onError })
      return db
    },
    [Symbol.asyncDispose]: close,
  }
}

const NO_LIMITS = {
  PORT: '0',
  HOST: '127.0.0.1',
  SYNTHETIC: 'always',
  RATE_LIMIT_PER_MINUTE: '1000000',
  WAITERS_PER_ADDRESS: '1000000',
  MAX_WAITERS: '1000000',
}

async function makeDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(path.join(tmpdir(), 'wombat-bench-')))
  // As root the embedded PostgreSQL runs as another user, who has to pass through.
  await chmod(directory, 0o711)
  return directory
}

async function startChild(
  env: Record<string, string>,
  { dataDir, profileDir }: { dataDir: string; profileDir: string | undefined },
): Promise<BenchedServer> {
  if (profileDir !== undefined) {
    await mkdir(profileDir, { recursive: true })
  }
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.resolve(profileDir)}`]
  await using log = await open(path.join(dataDir, 'server.log'), 'a')
  const child = fork(CHILD, [], {
    env: { PATH: process.env.PATH ?? '', ...env },
    // The second as in apps/cli/bin/wombat.js.
    execArgv: ['--expose-gc', '--max-semi-space-size=16', ...profiling],
    stdio: ['ignore', log.fd, 'inherit', 'ipc'],
  })
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      tell(child, 'stop')
      const cut = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await exited
      clearTimeout(cut)
    }
  }
  try {
    const { url } = await answer(child, 'ready')
    return {
      url,
      port: Number(new URL(url).port),
      async ask(kind) {
        tell(child, kind)
        return await answer(child, kind)
      },
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function tell(child: ChildProcess, command: ServerCommand): void {
  if (child.connected) {
    child.send(command)
  }
}

/** The next message of one kind; throws when the server ends before it. */
async function answer<Kind extends ServerAnswer['kind']>(
  child: ChildProcess,
  kind: Kind,
): Promise<Extract<ServerAnswer, { kind: Kind }>> {
  const ended = new AbortController()
  const onExit = () =>
    ended.abort(new Error('the server ended: its log is on the screen or was removed with its directory'))
  child.once('exit', onExit)
  try {
    for (;;) {
      const [message] = await once(child, 'message', { signal: ended.signal })
      if (isAnswer(message, kind)) {
        return message
      }
    }
  } finally {
    child.off('exit', onExit)
  }
}

/** What server-child.ts sends is nothing else. */
function isAnswer<Kind extends ServerAnswer['kind']>(
  message: ServerAnswer,
  kind: Kind,
): message is Extract<ServerAnswer, { kind: Kind }> {
  return message.kind === kind
}
