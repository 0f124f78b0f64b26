import type { Database, Listener, Statement } from '@wombat/database'
import { withPatience } from './patience.ts'

const SERVER_NAME = 'wombat server'

/** The LISTEN connection of a process with HTTP has a name of its own in pg_stat_activity, by which the others know of it. */
export function listenerName({ isServer = false }: { isServer?: boolean }): string {
  return isServer ? SERVER_NAME : 'wombat'
}

const COUNT: Statement = {
  name: 'count-servers',
  text: `SELECT count(*)::int AS n FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = $1 || ' listen'`,
}

interface Servers {
  readonly db: Pick<Database, 'run'>
  readonly listener: Pick<Listener, 'isConnected'>
}

/** A stop waits no longer for a database that does not answer. */
const PATIENCE_MS = 1_000

/** Whether another process with HTTP runs on this database. False when it can't be known. */
export async function hasOtherServers({ db, listener }: Servers): Promise<boolean> {
  try {
    const rows = await withPatience(db.run<{ n: number }>(COUNT, [SERVER_NAME]), PATIENCE_MS)
    return (rows?.[0]?.n ?? 0) > (listener.isConnected ? 1 : 0)
  } catch {
    // Then it is better not to send anybody there.
    return false
  }
}
