import { hash, randomUUID } from 'node:crypto'
import { newApiKey } from '@wombat/contract'
import type { Database, Statement } from '@wombat/database'
import { notifyAccountsChanged } from './accounts.ts'
import { type KeyLimits, toColumns } from './key-limits.ts'
import { openNetworks } from './networks.ts'
import type { Plan } from './plans.ts'

/** What a request may do that came with this key. */
export interface AuthenticatedKey {
  readonly keyId: string
  readonly accountId: string
  readonly plan: Pick<Plan, 'name' | 'isProfessional' | 'models' | 'deadlineHours'>
  readonly isAccountDisabled: boolean
  /** POSTs a minute, where the key has a limit of its own. */
  readonly rateLimitPerMinute: number | undefined
  /** POSTs a minute of all keys of the account together, where it or its plan has a limit. */
  readonly accountRateLimitPerMinute: number | undefined
  /** Milliseconds since the epoch, or undefined. */
  readonly expiresAtMs: number | undefined
  /** Empty: all. */
  readonly allowed: {
    readonly models: readonly string[]
    readonly qualities: readonly string[]
    readonly sizes: readonly string[]
  }
  /** Where its requests may come from, or undefined. */
  readonly networks: { has(address: string): boolean } | undefined
  readonly hasBudget: boolean
}

export interface ApiKeySummary extends KeyLimits {
  readonly keyId: string
  readonly accountId: string
  readonly name: string
  readonly lastFour: string
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly rateLimitPerMinute: number | null
}

/** SHA-256 is enough for a key of 122 random bits: there is nothing to guess, and a slow hash would be a lever for overload. */
export function hashKey(apiKey: string): Buffer {
  return hash('sha256', apiKey, 'buffer')
}

/** The key in plain text is in the answer and nowhere else. */
export async function createKey(
  db: Database,
  key: {
    accountId: string
    name?: string
    apiKey?: string
    expiresAt?: Date
    rateLimitPerMinute?: number | undefined
    limits?: Partial<KeyLimits> | undefined
  },
): Promise<{ keyId: string; apiKey: string }> {
  const apiKey = key.apiKey ?? newApiKey()
  const { id } = await db.prisma.apiKey.create({
    data: {
      id: randomUUID(),
      accountId: key.accountId,
      hash: new Uint8Array(hashKey(apiKey)),
      lastFour: apiKey.slice(-4),
      name: key.name ?? '',
      expiresAt: key.expiresAt ?? null,
      rateLimitPerMinute: key.rateLimitPerMinute ?? null,
      ...toColumns(key.limits ?? {}),
    },
  })
  await notifyAccountsChanged(db, key.accountId)
  return { keyId: id, apiKey }
}

const FIND_KEY: Statement = {
  name: 'find-key',
  text: `SELECT k.id AS key_id, k.account_id, a.disabled_at IS NOT NULL AS is_disabled, k.expires_at,
                k.rate_limit_per_minute AS rate_limit,
                coalesce(a.rate_limit_per_minute, p.rate_limit_per_minute) AS account_rate_limit,
                p.name AS plan, p.is_professional, p.models AS plan_models, p.deadline_hours,
                k.allowed_models, k.allowed_qualities, k.allowed_sizes, k.allowed_networks,
                k.daily_budget IS NOT NULL OR k.monthly_budget IS NOT NULL AS has_budget
         FROM api_keys k JOIN accounts a ON a.id = k.account_id JOIN plans p ON p.name = a.plan
         WHERE k.hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())`,
}

interface KeyRow {
  readonly key_id: string
  readonly account_id: string
  readonly is_disabled: boolean
  readonly expires_at: Date | null
  readonly rate_limit: number | null
  readonly account_rate_limit: number | null
  readonly plan: string
  readonly is_professional: boolean
  readonly plan_models: string[]
  readonly deadline_hours: number | null
  readonly allowed_models: string[]
  readonly allowed_qualities: string[]
  readonly allowed_sizes: string[]
  readonly allowed_networks: string[]
  readonly has_budget: boolean
}

/** Undefined for a key that does not exist, was revoked or has expired. */
export async function findKey(db: Database, hash: Buffer): Promise<AuthenticatedKey | undefined> {
  const [row] = await db.run<KeyRow>(FIND_KEY, [hash])
  if (row === undefined) {
    return undefined
  }
  return {
    keyId: row.key_id,
    accountId: row.account_id,
    plan: {
      name: row.plan,
      isProfessional: row.is_professional,
      models: row.plan_models,
      deadlineHours: row.deadline_hours,
    },
    isAccountDisabled: row.is_disabled,
    rateLimitPerMinute: row.rate_limit ?? undefined,
    accountRateLimitPerMinute: row.account_rate_limit ?? undefined,
    expiresAtMs: row.expires_at?.getTime(),
    allowed: { models: row.allowed_models, qualities: row.allowed_qualities, sizes: row.allowed_sizes },
    networks: row.allowed_networks.length === 0 ? undefined : openNetworks(row.allowed_networks),
    hasBudget: row.has_budget,
  }
}

export async function listKeys(db: Database, accountId: string): Promise<ApiKeySummary[]> {
  const rows = await db.prisma.apiKey.findMany({
    where: { accountId },
    orderBy: { createdAt: 'asc' },
    omit: { hash: true },
  })
  return rows.map(toSummary)
}

/** Undefined when there is no such key. One that was revoked or has expired is found. */
export async function findKeySummary(db: Database, keyId: string): Promise<ApiKeySummary | undefined> {
  const row = await db.prisma.apiKey.findUnique({ where: { id: keyId }, omit: { hash: true } })
  return row === null ? undefined : toSummary(row)
}

function toSummary({ id: keyId, ...row }: Omit<ApiKeySummary, 'keyId'> & { readonly id: string }): ApiKeySummary {
  return { keyId, ...row }
}

/** Refused at once in every process. False: there is no such key, or it was revoked before. */
export async function revokeKey(db: Database, keyId: string): Promise<boolean> {
  const rows = await db.prisma.apiKey.updateManyAndReturn({
    where: { id: keyId, revokedAt: null },
    data: { revokedAt: new Date() },
    select: { accountId: true },
  })
  const [row] = rows
  if (row === undefined) {
    return false
  }
  await notifyAccountsChanged(db, row.accountId)
  return true
}

const IS_KNOWN_KEY: Statement = { name: 'is-known-key', text: 'SELECT FROM api_keys WHERE hash = $1' }

/** True for a key that exists or existed: a revoked or expired one counts. */
export async function isKnownKey(db: Database, apiKey: string): Promise<boolean> {
  return (await db.run(IS_KNOWN_KEY, [hashKey(apiKey)])).length > 0
}
