import type { DatabaseFacts } from '@wombat/engine'
import type { Finding } from './doctor.ts'

/** Which process keeps house. That none does is only wrong while a server runs, so it is never a failure. */
export function describeLeader({ leader, pendingMigrations }: DatabaseFacts): Finding[] {
  const what = 'housekeeping'
  if (pendingMigrations.length > 0) {
    return []
  }
  if (leader === undefined) {
    const remedy = 'start one of the roles all, worker or scheduler'
    return [{ what, outcome: 'warning', detail: 'no process sweeps and keeps house now', remedy }]
  }
  const where = leader.address ?? 'this machine'
  return [{ what, outcome: 'ok', detail: `one process at ${where} does it since ${leader.since.toISOString()}` }]
}
