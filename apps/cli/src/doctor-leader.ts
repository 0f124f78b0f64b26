import type { DatabaseFacts } from '@wombat/engine'

const WHAT = { what: 'housekeeping' }

/** Which process keeps house. That none does is only wrong while a server runs, so it is never a failure. */
export function describeLeader({ leader, pendingMigrations }: DatabaseFacts) {
  if (pendingMigrations.length > 0) {
    return []
  }
  if (leader === undefined) {
    const remedy = 'start one of the roles all, worker or scheduler'
    return [{ ...WHAT, outcome: 'warning' as const, detail: 'no process sweeps and keeps house now', remedy }]
  }
  const detail = `one process at ${leader.address ?? 'this machine'} does it since ${leader.since.toISOString()}`
  return [{ ...WHAT, outcome: 'ok' as const, detail }]
}
