import { ADMIN, ApiError } from '@wombat/contract'
import type { Engine } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import { openAuthorizer } from '../plugins/admin-auth.ts'
import { sendError } from '../plugins/errors.ts'
import type { Limiters } from '../plugins/limiters.ts'
import { registerAccounts } from './admin/accounts.ts'
import { registerAudit } from './admin/audit.ts'
import { registerCredits } from './admin/credits.ts'
import { registerImages } from './admin/images.ts'
import { registerKeys } from './admin/keys.ts'
import { registerLedger } from './admin/ledger.ts'
import { registerPlans } from './admin/plans.ts'
import { registerRoutes } from './admin/routes.ts'
import { ADMIN_PREFIX, type AdminParts } from './admin/serve.ts'
import { registerUsage } from './admin/usage.ts'
import { registerWebhooks } from './admin/webhooks.ts'

/** Other people's pages have no business here. */
const PUBLIC_HEADERS = ['access-control-allow-origin', 'access-control-expose-headers', 'cross-origin-resource-policy']

/** Everything under /admin/v1. Without ADMIN_TOKEN there is no such address. */
export async function registerAdmin(
  app: FastifyInstance,
  { engine, limiters }: { engine: Engine; limiters: Limiters },
): Promise<void> {
  if (engine.config.ADMIN_TOKEN.length === 0) {
    return
  }
  await app.register(
    async (admin) => {
      guard(admin, { engine, limiters })
      const parts: AdminParts = { engine }
      registerAccounts(admin, parts)
      registerKeys(admin, parts)
      registerPlans(admin, parts)
      registerCredits(admin, parts)
      registerLedger(admin, parts)
      registerImages(admin, parts)
      registerUsage(admin, parts)
      registerRoutes(admin, parts)
      registerWebhooks(admin, parts)
      registerAudit(admin, parts)
    },
    { prefix: ADMIN_PREFIX },
  )
}

function guard(admin: FastifyInstance, { engine, limiters }: { engine: Engine; limiters: Limiters }): void {
  const authorize = openAuthorizer(engine.config, limiters)
  admin.decorateRequest('adminName', '')
  // Also for addresses that are none: who has no token learns nothing of what there is.
  admin.addHook('onRequest', async (request) => {
    request.adminName = await authorize(request)
  })
  admin.addHook('onSend', async (_request, reply) => {
    for (const name of PUBLIC_HEADERS) {
      reply.removeHeader(name)
    }
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  })
  // The server's own handler looks at nothing else where there is no address.
  admin.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof ApiError)) {
      throw error
    }
    sendError(reply, error)
  })
  admin.setNotFoundHandler(async (request) => {
    const path = (request.url.split('?', 1)[0] ?? '').replace(/\/$/, '')
    const allow = PATHS.filter((one) => one.path.test(path)).map(({ method }) => method)
    throw allow.length === 0
      ? new ApiError('not_found', 'There is nothing at this address.')
      : new ApiError('method_not_allowed', `This address takes ${allow.join(', ')}.`, {
          headers: { allow: allow.join(', ') },
        })
  })
}

const PATHS = Object.values(ADMIN).map(({ method, path }) => ({
  method,
  path: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}))
