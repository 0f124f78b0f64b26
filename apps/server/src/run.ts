import {
  type Bootstrap,
  type Config,
  type Engine,
  type Logger,
  openEngine,
  prepareDatabase,
  startPruning,
  startRetention,
  startSweep,
  startWebhooks,
  startWorker,
} from '@wombat/engine'
import { startMetricsServer } from './metrics-server.ts'
import { startServer } from './server.ts'

/** all: everything in one process. api: HTTP only. worker: makes images, sweeps and keeps house, without HTTP. */
export type Role = 'all' | 'api' | 'worker'

export interface RunningWombat {
  /** Where it listens; undefined for a worker. */
  readonly url: string | undefined
  /** Where a process without HTTP answers /metrics and /health, if METRICS_PORT says so. */
  readonly metricsUrl: string | undefined
  /** The first account, when this start has made it or its key. */
  readonly bootstrap: Bootstrap | undefined
  readonly engine: Engine
  /** Lets requests and jobs end, hands back what does not end in time, and closes everything. */
  stop(): Promise<void>
}

/** Starts the parts of a role against a database that may be empty or of an earlier version. */
export async function runWombat(
  config: Config,
  options: { databaseUrl: string; dataDir: string; role: Role; log: Logger },
): Promise<RunningWombat> {
  const { role, log } = options
  const bootstrap = await prepareDatabase(config, options.databaseUrl, log)
  const engine = await openEngine(config, options)
  const parts: { stop(): Promise<void> }[] = []

  async function stop() {
    engine.stopWaiting()
    await Promise.all(parts.map((part) => part.stop()))
    await engine[Symbol.asyncDispose]()
  }

  try {
    const graceMs = config.SHUTDOWN_GRACE_SECONDS * 1000
    const server = role === 'worker' ? undefined : await startServer(engine)
    if (server !== undefined) {
      parts.push({ stop: () => server.stop({ graceMs }) })
    }
    const metrics = server === undefined ? await startMetricsServer(engine) : undefined
    if (metrics !== undefined) {
      parts.push(metrics)
    }
    if (role !== 'api') {
      const worker = await startWorker(engine)
      parts.push(
        { stop: () => worker.stop({ graceMs }) },
        startSweep(engine),
        startRetention(engine),
        startPruning(engine),
      )
      const webhooks = startWebhooks(engine)
      parts.push({ stop: () => webhooks.stop({ graceMs }) })
    }
    return { url: server?.url, metricsUrl: metrics?.url, bootstrap, engine, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
