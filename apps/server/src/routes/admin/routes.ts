import { ADMIN } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, notFound, serve } from './serve.ts'

export function registerRoutes(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listRoutes, async ({ operations }) => ({ items: await operations.listRoutes() }))

  serve(app, parts, ADMIN.resumeRoute, async ({ params: { route }, operations }) => {
    const outcome = await operations.resumeRoute(route)
    if (outcome === 'unknown route') {
      throw notFound('route', route)
    }
    return { route, resumed: outcome === 'resumed' }
  })
}
