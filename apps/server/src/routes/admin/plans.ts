import { ADMIN } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, conflict, found, notFound, serve } from './serve.ts'

/** What a new plan has where nothing is said. */
const NO_LIMITS = {
  models: [],
  rateLimitPerMinute: null,
  concurrency: null,
  deadlineHours: null,
  deleteAfterDays: null,
}

export function registerPlans(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listPlans, async ({ operations }) => ({ items: await operations.listPlans() }))

  serve(app, parts, ADMIN.createPlan, async ({ body, operations }) => {
    const made = await operations.createPlan({ ...NO_LIMITS, ...body })
    if (made === undefined) {
      throw conflict(`There is a plan ${body.name} already.`, { reason: 'exists' })
    }
    return made
  })

  serve(app, parts, ADMIN.showPlan, async ({ params: { plan }, operations }) =>
    found(await operations.findPlan(plan), 'plan', plan),
  )

  serve(app, parts, ADMIN.changePlan, async ({ params: { plan }, body, operations }) =>
    found(await operations.changePlan(plan, body), 'plan', plan),
  )

  serve(app, parts, ADMIN.deletePlan, async ({ params: { plan }, operations }) => {
    const outcome = await operations.removePlan(plan)
    switch (outcome.status) {
      case 'deleted':
        return { plan, deleted: true as const }
      case 'unknown plan':
        throw notFound('plan', plan)
      case 'in use':
        throw conflict(`Accounts are on the plan ${plan}: move them to another one first.`, {
          reason: outcome.status,
          accounts: outcome.accounts,
        })
      case 'built in':
        throw conflict(`The plan ${plan} is always there.`, { reason: outcome.status })
    }
  })
}
