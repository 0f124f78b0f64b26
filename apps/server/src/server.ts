import type { AddressInfo } from 'node:net'
import { ApiError } from '@wombat/contract'
import type { Engine } from '@wombat/engine'
import fastify, { type RouteOptions } from 'fastify'
import { registerBodies } from './plugins/bodies.ts'
import { registerClosing } from './plugins/closing.ts'
import { registerCounting } from './plugins/counting.ts'
import { answerClientError, answerFrameworkError, registerErrors } from './plugins/errors.ts'
import { createLimiters } from './plugins/limiters.ts'
import { registerAdmin } from './routes/admin.ts'
import { registerCancelImage } from './routes/cancel-image.ts'
import { registerDevClock } from './routes/dev-clock.ts'
import { registerHealth } from './routes/health.ts'
import { openHotLane } from './routes/hot-lane.ts'
import { registerImage } from './routes/image.ts'
import { registerImageGeneration } from './routes/image-generation.ts'
import { registerIndex } from './routes/index-page.ts'
import { registerMetrics } from './routes/metrics.ts'
import { registerReference } from './routes/reference.ts'

export interface RunningServer {
  /** The address that it listens on, such as http://127.0.0.1:3000. */
  readonly url: string
  /** Goes on for `delayMs` while it asks each connection to end, then takes no new one. Call it before `stop`. */
  leave(options: { delayMs: number }): Promise<void>
  /** Lets running requests end for `graceMs`, then cuts them. */
  stop(options: { graceMs: number }): Promise<void>
}

const BODY_LIMIT_BYTES = 1024 * 1024
/** From the first byte of a request to its last, in milliseconds. Fastify's default is none at all. */
const REQUEST_TIMEOUT_MS = 20_000
const HEADERS_TIMEOUT_MS = 15_000
const CHECK_CONNECTIONS_MS = 5_000
/** Longer than the idle limits of the usual load balancers, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000
const HEADER_LIMIT_BYTES = 16 * 1024

/** Listens on HOST and PORT. Every plugin and route of the server is on this screen. */
export async function startServer(
  engine: Engine,
  /** For tests: told of each route. */
  { onRoute }: { onRoute?: (route: RouteOptions) => void } = {},
): Promise<RunningServer> {
  const { config } = engine
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Never true: then anyone could choose the address that limits are counted for.
    trustProxy: config.TRUST_PROXY.length === 0 ? false : [...config.TRUST_PROXY],
    genReqId: () => crypto.randomUUID(),
    exposeHeadRoutes: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: answerFrameworkError,
    return503OnClosing: false,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
      maxHeaderSize: HEADER_LIMIT_BYTES,
      // Node's own answer to a request without Host has no body; the hook below gives it one.
      requireHostHeader: false,
    },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 100 },
  })
  if (onRoute !== undefined) {
    app.addHook('onRoute', onRoute)
  }
  // The hooks of every request call back: a promise each would be a tenth of what Fastify costs.
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    const isHostMissing = request.headers.host === undefined && request.raw.httpVersion === '1.1'
    done(isHostMissing ? new ApiError('invalid_request', 'The header Host is missing.') : undefined)
  })
  // Nobody need refuse an expectation that he does not know (RFC 9110, 10.1.1), and Node would without a word.
  app.server.on('checkExpectation', (request, response) => app.routing(request, response))

  const limiters = createLimiters(engine)
  registerErrors(app, engine)
  registerCounting(app, engine)
  registerBodies(app)
  const lane = openHotLane(app.server, engine, { idleMs: KEEP_ALIVE_TIMEOUT_MS })
  const closing = registerClosing(app, engine, lane)
  registerImageGeneration(app, { engine, limiters })
  registerImage(app, { engine, limiters, hasOthers: closing.hasOthers })
  registerCancelImage(app, { engine, limiters })
  registerHealth(app, { engine })
  registerMetrics(app, { engine })
  registerDevClock(app, { engine })
  registerIndex(app)
  registerReference(app, { engine })
  await registerAdmin(app, { engine, limiters })

  await app.listen({ host: config.HOST, port: config.PORT, backlog: 4096 })
  const url = listeningUrl(config.HOST, boundPort(app.server.address()) ?? config.PORT)
  if (engine.publicUrl === '') {
    engine.publicUrl = url
  }
  return { url, leave: closing.leave, stop: closing.stop }
}

/** An address that a client on this machine can use: "any address" is no address to connect to. */
export function listeningUrl(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

export function boundPort(address: AddressInfo | string | null): number | undefined {
  return address === null || typeof address === 'string' ? undefined : address.port
}
