import { ADMIN } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, found, serve } from './serve.ts'

export function registerLedger(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listEntries, async ({ params: { accountId }, query, operations }) => {
    found(await operations.showAccount(accountId), 'account', accountId)
    return await operations.listEntries(accountId, query)
  })

  serve(app, parts, ADMIN.verifyLedger, async ({ operations }) => {
    const { faults, ...counts } = await operations.verifyLedger()
    return { ok: faults.length === 0, ...counts, faults }
  })
}
