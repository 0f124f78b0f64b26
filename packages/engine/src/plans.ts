import { listPlans, type Plan } from '@wombat/accounts'
import type { Config } from './config.ts'
import type { Engine } from './engine.ts'

/* Plans are rows; what one leaves open is the setting of its gate. */

export function deadlineHoursOf(config: Config, plan: Pick<Plan, 'isProfessional' | 'deadlineHours'>): number {
  return plan.deadlineHours ?? config.GENERATION_DEADLINE_HOURS[plan.isProfessional ? 'professional' : 'basic']
}

/** How long each plan keeps its images; without those that keep them for ever. */
export async function listRetentions(engine: Engine): Promise<{ plan: string; days: number }[]> {
  const plans = await listPlans(engine.db)
  return plans.flatMap(({ name: plan, isProfessional, deleteAfterDays }) => {
    const days = deleteAfterDays ?? engine.config.DELETE_IMAGES_DAYS[isProfessional ? 'professional' : 'basic']
    return days === undefined ? [] : [{ plan, days }]
  })
}
