import {
  type Bootstrap,
  type Config,
  type Engine,
  type Logger,
  openEngine,
  prepareDatabase,
  startScheduler,
  startWebhooks,
  startWorker,
} from '@wombat/engine'
import { startMetricsServer } from './metrics-server.ts'
import { type RunningServer, startServer } from './server.ts'

/**
 * all: everything in one process. api: HTTP only. worker: makes images, without HTTP. scheduler: neither. All but api send
 * webhooks, and stand for election: one of them keeps house for all.
 */
export const ROLES = ['all', 'api', 'worker', 'scheduler'] as const
export type Role = (typeof ROLES)[number]

export interface RunningWombat {
  /** Where it listens; undefined for a worker. */
  readonly url: string | undefined
  /** Where a process without HTTP answers /metrics and /health, if METRICS_PORT says so. */
  readonly metricsUrl: string | undefined
  /** The first account, when this start has made it or its key. */
  readonly bootstrap: Bootstrap | undefined
  readonly engine: Engine
  /**
   * Says that it is not ready, goes on with HTTP for SHUTDOWN_DELAY_SECONDS, takes nothing new, lets requests and jobs
   * end, hands back what does not end in time, and closes everything.
   */
  stop(): Promise<void>
}

/** Starts the parts of a role against a database that may be empty or of an earlier version. */
export async function runWombat(
  config: Config,
  options: { databaseUrl: string; dataDir: string; role: Role; log: Logger },
): Promise<RunningWombat> {
  const { role, log } = options
  const bootstrap = await prepareDatabase(config, options.databaseUrl, log)
  const hasHttp = role === 'all' || role === 'api'
  const engine = await openEngine(config, { ...options, isServer: hasHttp })
  const graceMs = config.SHUTDOWN_GRACE_SECONDS * 1000
  const parts: { stop(options: { graceMs: number }): Promise<void> }[] = []
  let server: RunningServer | undefined
  let metrics: { url: string; stop(): Promise<void> } | undefined

  async function stop({ delayMs }: { delayMs: number }) {
    engine.isLeaving = true
    await server?.leave({ delayMs })
    // Who waits is sent elsewhere when nobody can come back here any more.
    engine.stopWaiting()
    await Promise.all([server, ...parts].map((part) => part?.stop({ graceMs })))
    await metrics?.stop()
    await engine[Symbol.asyncDispose]()
  }

  try {
    server = hasHttp ? await startServer(engine) : undefined
    metrics = hasHttp ? undefined : await startMetricsServer(engine)
    if (role === 'all' || role === 'worker') {
      parts.push(await startWorker(engine))
    }
    if (role !== 'api') {
      parts.push(startScheduler(engine), startWebhooks(engine))
    }
    const delayMs = config.SHUTDOWN_DELAY_SECONDS * 1000
    return { url: server?.url, metricsUrl: metrics?.url, bootstrap, engine, stop: () => stop({ delayMs }) }
  } catch (error) {
    await stop({ delayMs: 0 })
    throw error
  }
}
