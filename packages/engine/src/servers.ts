import type { Database, Listener, Statement } from '@wombat/database'

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

/** Whether another process with HTTP runs on this database. False when it can't be known. */
export async function hasOtherServers({ db, listener }: { db: Database; listener: Listener }): Promise<boolean> {
  try {
    const [row] = await db.run<{ n: number }>(COUNT, [SERVER_NAME])
    return (row?.n ?? 0) > (listener.isConnected ? 1 : 0)
  } catch {
    // Then it is better not to send anybody there.
    return false
  }
}
