import { ADMIN } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, found, notFound, serve } from './serve.ts'

export function registerKeys(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listKeys, async ({ params: { accountId }, operations }) => {
    const items = found(await operations.listKeys(accountId), 'account', accountId)
    return { items }
  })

  serve(app, parts, ADMIN.createKey, async ({ params: { accountId }, body, operations }) =>
    found(await operations.issueKey({ accountId, ...body }), 'account', accountId),
  )

  serve(app, parts, ADMIN.changeKey, async ({ params: { keyId }, body, operations }) =>
    found(await operations.changeKey(keyId, body), 'key', keyId),
  )

  serve(app, parts, ADMIN.revokeKey, async ({ params: { keyId }, operations }) => {
    if (!(await operations.withdrawKey(keyId))) {
      throw notFound('key', keyId)
    }
    return { keyId, revoked: true as const }
  })
}
