import type { Database } from '@wombat/database'
import { notifyAccountsChanged } from './accounts.ts'

/** What one key may do less than its account. Empty lists and null: no limit of its own. */
export interface KeyLimits {
  /** Credits that it may spend in a day and in a month of UTC. */
  readonly dailyBudget: number | null
  readonly monthlyBudget: number | null
  /** Models, qualities and sizes as they are made: no aliases, `1024x1024`. */
  readonly allowedModels: readonly string[]
  readonly allowedQualities: readonly string[]
  readonly allowedSizes: readonly string[]
  /** Networks (10.0.0.0/8, 2001:db8::/32) that its requests may come from. */
  readonly allowedNetworks: readonly string[]
}

/** Fields that are left out stay as they are. */
export type KeyChange = { readonly [Field in keyof KeyLimits]?: KeyLimits[Field] | undefined } & {
  readonly name?: string | undefined
  readonly expiresAt?: Date | null | undefined
  readonly rateLimitPerMinute?: number | null | undefined
}

/** In force at once in every process; a budget counts what was spent before it was set. False: there is no such key. */
export async function changeKey(db: Database, keyId: string, change: KeyChange): Promise<boolean> {
  const [row] = await db.prisma.apiKey.updateManyAndReturn({
    where: { id: keyId },
    data: toColumns(change),
    select: { accountId: true },
  })
  if (row !== undefined) {
    await notifyAccountsChanged(db, row.accountId)
  }
  return row !== undefined
}

/** Lists are copied, since Prisma wants its own. */
export function toColumns(change: KeyChange) {
  const given = Object.entries(change).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]))
}
