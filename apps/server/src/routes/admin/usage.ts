import { ADMIN, ApiError } from '@wombat/contract'
import { type AdminOperations, sumFigures, type UsageFilter, usageCsv } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, found, serve } from './serve.ts'

export function registerUsage(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.usage, async ({ query, operations }) => {
    const lines = await sum(operations, query)
    const { by, since = null, until = null, accountId = null } = query
    return { by, since, until, accountId, lines, total: sumFigures(lines) }
  })

  serve(app, parts, ADMIN.usageCsv, async ({ query, operations, reply }) => {
    const lines = await sum(operations, query)
    reply.headers({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': `attachment; filename="usage-by-${query.by.replace(':', '-')}.csv"`,
    })
    return `${usageCsv(query.by, lines)}\n`
  })
}

async function sum(operations: AdminOperations, filter: UsageFilter) {
  const { since, until, accountId } = filter
  if (since !== undefined && until !== undefined && since >= until) {
    const expected = 'later than since'
    throw new ApiError('invalid_request', `until must be ${expected}.`, { details: { field: 'until', expected } })
  }
  if (accountId !== undefined) {
    found(await operations.showAccount(accountId), 'account', accountId)
  }
  return await operations.sumUsage(filter)
}
