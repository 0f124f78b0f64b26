import type { Database } from '@wombat/database'

/** What an account may do, as data. */
export interface PlanRow {
  readonly name: string
  readonly isProfessional: boolean
  readonly models: readonly string[]
  readonly rateLimitPerMinute: number | null
  readonly concurrency: number | null
  readonly deadlineHours: number | null
  readonly deleteAfterDays: number | null
  readonly createdAt: Date
}

export type PlanWish = Pick<PlanRow, 'isProfessional'> & Partial<Omit<PlanRow, 'name' | 'createdAt'>>

export async function listPlans(db: Database): Promise<PlanRow[]> {
  return await db.prisma.plan.findMany({ orderBy: { name: 'asc' } })
}

export async function findPlan(db: Database, name: string): Promise<PlanRow | undefined> {
  return (await db.prisma.plan.findUnique({ where: { name } })) ?? undefined
}

/** Undefined: there is one of this name. */
export async function createPlan(db: Database, name: string, wish: PlanWish): Promise<PlanRow | undefined> {
  const [made] = await db.prisma.plan.createManyAndReturn({ data: [{ name, ...toData(wish) }], skipDuplicates: true })
  return made
}

/** Undefined: there is no such plan. */
export async function changePlan(db: Database, name: string, change: Partial<PlanWish>): Promise<PlanRow | undefined> {
  const [changed] = await db.prisma.plan.updateManyAndReturn({ where: { name }, data: toData(change) })
  return changed
}

export type PlanRemoval = 'removed' | 'unknown plan' | 'in use' | 'built in'

const BUILT_IN = ['basic', 'professional']

/** Nobody may be left without a plan, and the two that were there from the start stay. */
export async function removePlan(db: Database, name: string): Promise<PlanRemoval> {
  if (BUILT_IN.includes(name)) {
    return 'built in'
  }
  // A foreign key holds it as well, for an account that comes at the same moment.
  if ((await db.prisma.account.count({ where: { plan: name } })) > 0) {
    return 'in use'
  }
  const { count } = await db.prisma.plan.deleteMany({ where: { name } })
  return count === 1 ? 'removed' : 'unknown plan'
}

function toData<T extends { readonly models?: readonly string[] }>({ models, ...rest }: T) {
  return { ...rest, ...(models === undefined ? {} : { models: [...models] }) }
}
