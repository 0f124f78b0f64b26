import type { Engine } from '@wombat/engine'
import fastify from 'fastify'
import { registerErrors } from './plugins/errors.ts'
import { registerHealth } from './routes/health.ts'
import { registerMetrics } from './routes/metrics.ts'
import { boundPort, listeningUrl } from './server.ts'

const REQUEST_TIMEOUT_MS = 10_000
const BODY_LIMIT_BYTES = 1024

/** /metrics and /health of a process that has no other HTTP, on HOST and METRICS_PORT. Undefined: not wanted. */
export async function startMetricsServer(engine: Engine): Promise<{ url: string; stop(): Promise<void> } | undefined> {
  const { HOST, METRICS, METRICS_PORT } = engine.config
  if (!METRICS || METRICS_PORT === undefined) {
    return undefined
  }
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: true },
  })
  registerErrors(app, engine)
  registerHealth(app, { engine })
  registerMetrics(app, { engine })
  await app.listen({ host: HOST, port: METRICS_PORT })
  const url = listeningUrl(HOST, boundPort(app.server.address()) ?? METRICS_PORT)
  engine.log.info({ url: `${url}/metrics` }, 'metrics are served')
  return { url, stop: async () => await app.close() }
}
