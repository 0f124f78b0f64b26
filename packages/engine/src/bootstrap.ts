import { createAccount, createKey, findBootstrapAccount, isFirstStart, isKnownKey } from '@wombat/accounts'
import type { Database } from '@wombat/database'
import { changeBalance } from '@wombat/ledger'
import type { Config } from './config.ts'

export interface Bootstrap {
  readonly accountId: string
  readonly plan: string
  readonly credits: number
  /** Made just now. It can't be shown again. */
  readonly apiKey: string
}

/**
 * Sees to it that a server that nobody has set up yet can be used: without any account it makes the first one, with
 * credits and a key, and BOOTSTRAP_API_KEY is made a key of that account whenever it is none yet. The caller holds the
 * lock that keeps two processes from doing this at once; a kill between any two steps is made good by the next start.
 */
export async function bootstrap(db: Database, config: Config): Promise<Bootstrap | undefined> {
  const given = config.BOOTSTRAP_API_KEY
  const isNeeded = given === undefined ? await isFirstStart(db) : !(await isKnownKey(db, given))
  if (!isNeeded) {
    return undefined
  }
  const account =
    (await findBootstrapAccount(db)) ??
    (await createAccount(db, { name: 'default', plan: 'professional', isBootstrap: true }))
  let credits = account.balance
  if (config.BOOTSTRAP_CREDITS > 0) {
    const granted = await changeBalance(db, {
      accountId: account.id,
      kind: 'grant',
      credits: config.BOOTSTRAP_CREDITS,
      ref: `bootstrap ${account.id}`,
      note: 'first start',
    }).catch((error: unknown) => {
      // An earlier start granted another number of credits: that one stands.
      if (error instanceof Error && 'code' in error && error.code === '23505') {
        return undefined
      }
      throw error
    })
    credits = granted?.status === 'changed' ? granted.balance : credits
  }
  const { apiKey } = await createKey(db, {
    accountId: account.id,
    name: 'first key',
    ...(given === undefined ? {} : { apiKey: given }),
  })
  return { accountId: account.id, plan: account.plan, credits, apiKey }
}
