import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Config, Logger } from '@wombat/engine'
import type { Role, RunningWombat } from '@wombat/server'
import { banner, readyJson } from './banner.ts'
import { CliError, messageOf, systemCode } from './errors.ts'
import { readSettings, type Settings } from './settings.ts'
import { supervise } from './supervise.ts'
import type { Terminal } from './terminal.ts'

export interface StartOptions {
  readonly role: Role
}

/** What closing connections, leaving the queue and stopping PostgreSQL may take on top of the delay and the grace. */
const CLOSING_MS = 4_000

/** Runs the server until it is told to stop. What was opened is closed in reverse, whenever that happens. */
export async function start(terminal: Terminal, { role }: StartOptions): Promise<void> {
  const settings = await readSettings()
  const { config } = settings
  const { createErrorLogger, createLogger, describeError } = await import('@wombat/engine')
  const log = terminal.isJson
    ? createErrorLogger({ level: config.LOG_LEVEL })
    : await createLogger({ level: config.LOG_LEVEL, format: config.LOG_FORMAT })
  for (const warning of config.warnings) {
    log.warn({ setting: warning.split(' ')[0] }, warning)
  }
  const { stoppedBy } = await supervise(
    {
      graceMs: (config.SHUTDOWN_DELAY_SECONDS + config.SHUTDOWN_GRACE_SECONDS) * 1000 + CLOSING_MS,
      onFault: (error) => log.fatal({ err: describeError(error) }, 'an error that nobody caught: stopping'),
    },
    (stop) => runUntil(stop, { terminal, settings, role, log }),
  )
  if (stoppedBy === 'fault') {
    throw new CliError('failed', 'stopped after an error that nobody caught: the log has it')
  }
}

interface Start {
  readonly terminal: Terminal
  readonly settings: Settings
  readonly role: Role
  readonly log: Logger
}

async function runUntil(stop: AbortSignal, { terminal, settings, role, log }: Start): Promise<void> {
  try {
    const { config } = settings
    if (hasHttp(role)) {
      // Before anything is made: the key of a first start is shown once, so a start must not fail after it.
      await assertPortIsFree(config)
    }
    // Loading takes as long as PostgreSQL does, so both at once.
    const loading = import('@wombat/server')
    const { assertReachable, makeDataDir, openServer } = await import('./connect.ts')
    await makeDataDir(settings.dataDir)
    stop.throwIfAborted()
    await using server = await openServer(settings, `start ${role}`)
    server.watch((error) =>
      error === undefined
        ? log.error('PostgreSQL had ended and was started again')
        : log.error({ reason: messageOf(error) }, 'PostgreSQL has ended and does not start again'),
    )
    const { runWombat } = await loading
    stop.throwIfAborted()
    if (config.DATABASE_URL !== undefined) {
      await assertReachable(server)
    }
    const running = await runWombat(config, { databaseUrl: server.url, dataDir: settings.dataDir, role, log })
    try {
      // The key of a first start is shown once: also to who has pressed Ctrl-C meanwhile.
      if (!stop.aborted || running.bootstrap !== undefined) {
        await announce(running, { terminal, settings, role, database: server.description })
        await (stop.aborted ? undefined : once(stop, 'abort'))
      }
      log.info('stopping')
    } finally {
      await running.stop()
    }
    log.info('stopped')
  } catch (error) {
    if (!stop.aborted) {
      throw explainListening(error, settings.config)
    }
    // Told to stop while it started: Ctrl-C reaches what it had called as well.
    log.debug({ reason: messageOf(error) }, 'start was broken off')
  }
}

async function announce(
  running: RunningWombat,
  start: { terminal: Terminal; settings: Settings; role: Role; database: string },
): Promise<void> {
  const { engine } = running
  const { findMainAccount, listServedModels } = await import('@wombat/engine')
  const ready = {
    url: hasHttp(start.role) ? engine.publicUrl : undefined,
    role: start.role,
    dataDir: start.settings.dataDir,
    store: engine.store.description,
    database: start.database,
    queue: engine.queue.description,
    served: listServedModels(engine.models),
    bootstrap: running.bootstrap,
    isKeyGiven: start.settings.config.BOOTSTRAP_API_KEY !== undefined,
    accountId: running.bootstrap?.accountId ?? (await findMainAccount(engine.db))?.id,
  }
  start.terminal.print({ json: readyJson(ready), text: banner(ready, process.stdout) })
}

function hasHttp(role: Role): boolean {
  return role === 'all' || role === 'api'
}

async function assertPortIsFree({ HOST, PORT }: Config): Promise<void> {
  const probe = createServer()
  try {
    probe.listen({ host: HOST, port: PORT })
    await once(probe, 'listening')
  } catch (error) {
    throw explainListening(error, { HOST, PORT })
  }
  probe.close()
  await once(probe, 'close')
}

type Listening = Pick<Config, 'HOST' | 'PORT'> & Partial<Pick<Config, 'METRICS_PORT'>>

/** Whatever else has one of these codes, such as a database that can't be found, is left as it is. */
function explainListening(error: unknown, config: Listening): unknown {
  const { HOST } = config
  const isOurs =
    error instanceof Error &&
    'syscall' in error &&
    (error.syscall === 'listen' || ('hostname' in error && error.hostname === HOST))
  const isForMetrics = isOurs && 'port' in error && error.port === config.METRICS_PORT
  const [port, name] = isForMetrics ? [config.METRICS_PORT, 'METRICS_PORT'] : [config.PORT, 'PORT']
  const explanation = isOurs ? explanations(HOST, `${port}`, name)[systemCode(error) ?? ''] : undefined
  return explanation === undefined ? error : new CliError('configuration', explanation, { cause: error })
}

function explanations(HOST: string, port: string, name: string): Readonly<Record<string, string>> {
  const isForeign = `HOST is "${HOST}", which is no address of this machine: set it to 127.0.0.1, or to 0.0.0.0 for all of them`
  return {
    EADDRINUSE: `port ${port} on ${HOST} is in use: stop the other program, or set ${name}`,
    EACCES: `port ${port} is reserved for the administrator: set ${name} to 1024 or more`,
    EADDRNOTAVAIL: isForeign,
    ENOTFOUND: isForeign,
    EAI_AGAIN: isForeign,
  }
}
