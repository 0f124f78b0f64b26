import { ADMIN } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, serve } from './serve.ts'

export function registerAudit(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listAudit, ({ query, operations }) => operations.listAudit(query))
}
