import type { Database, Statement } from '@wombat/database'
import { notifyAccountsChanged } from './accounts.ts'

/** What accounts on it may do, as data. Null in a limit: the server's own setting, or no limit. */
export interface Plan {
  readonly name: string
  /** Passes the gates of the catalogue that ask for the Professional Plan. */
  readonly isProfessional: boolean
  /** The models that it may use; empty: all that its gate allows. */
  readonly models: readonly string[]
  readonly rateLimitPerMinute: number | null
  /** Images in the making at once, of one account. */
  readonly concurrency: number | null
  readonly deadlineHours: number | null
  readonly deleteAfterDays: number | null
}

export type PlanSummary = Plan & { readonly accounts: number; readonly createdAt: Date }

/** Fields that are left out stay as they are. */
export type PlanChange = { readonly [Field in keyof Omit<Plan, 'name'>]?: Plan[Field] | undefined }

const CREATE: Statement = {
  name: 'create-plan',
  text: `INSERT INTO plans (name, is_professional, models, rate_limit_per_minute, concurrency, deadline_hours, delete_after_days)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING RETURNING name`,
}

/** False: there is one of this name. */
export async function createPlan(db: Database, plan: Plan): Promise<boolean> {
  const rows = await db.run(CREATE, [
    plan.name,
    plan.isProfessional,
    plan.models,
    plan.rateLimitPerMinute,
    plan.concurrency,
    plan.deadlineHours,
    plan.deleteAfterDays,
  ])
  return rows.length === 1
}

const COLUMNS = `p.name, p.is_professional AS "isProfessional", p.models, p.rate_limit_per_minute AS "rateLimitPerMinute",
  p.concurrency, p.deadline_hours AS "deadlineHours", p.delete_after_days AS "deleteAfterDays", p.created_at AS "createdAt",
  (SELECT count(*) FROM accounts a WHERE a.plan = p.name)::int AS accounts`

const LIST: Statement = { name: 'list-plans', text: `SELECT ${COLUMNS} FROM plans p ORDER BY p.created_at, p.name` }
const FIND: Statement = { name: 'find-plan', text: `SELECT ${COLUMNS} FROM plans p WHERE p.name = $1` }

/** In the order in which they were made. */
export async function listPlans(db: Database): Promise<PlanSummary[]> {
  return await db.run<PlanSummary>(LIST, [])
}

export async function findPlan(db: Database, name: string): Promise<PlanSummary | undefined> {
  const [plan] = await db.run<PlanSummary>(FIND, [name])
  return plan
}

/** In force at once in every process. False: there is no such plan. */
export async function changePlan(db: Database, name: string, change: PlanChange): Promise<boolean> {
  const { models, ...rest } = change
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const { count } = await db.prisma.plan.updateMany({
    where: { name },
    data: { ...given, ...(models === undefined ? {} : { models: [...models] }) },
  })
  await notifyAccountsChanged(db, '')
  return count === 1
}

const DELETE: Statement = {
  name: 'delete-plan',
  text: 'DELETE FROM plans p WHERE p.name = $1 AND NOT EXISTS (SELECT FROM accounts a WHERE a.plan = p.name) RETURNING name',
}

/** False: there is no such plan, or accounts are on it. Images of old orders go on under the plans of their accounts. */
export async function deletePlan(db: Database, name: string): Promise<boolean> {
  try {
    return (await db.run(DELETE, [name])).length === 1
  } catch (error) {
    // An account was put on it at the same moment.
    if (error instanceof Error && 'code' in error && (error.code === '23503' || error.code === '23001')) {
      return false
    }
    throw error
  }
}
