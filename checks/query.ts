import { type Queryable, withClient } from '@wombat/database'

type Rows = Awaited<ReturnType<Queryable['query']>>['rows']

interface Connection extends Queryable {
  close(): void
}

/** To open a connection costs PostgreSQL more than most questions do: it is kept for the next one for a while. */
const KEPT_MS = 2_000

const kept = new Map<string, { readonly connection: Connection; readonly timer: NodeJS.Timeout }>()

/** The rows of an ad-hoc statement. Questions at once have a connection each. */
export async function query(databaseUrl: string, text: string, values?: readonly unknown[]): Promise<Rows> {
  const idle = take(databaseUrl)
  const connection = idle ?? (await open(databaseUrl))
  try {
    const { rows } = await connection.query(text, values)
    keep(databaseUrl, connection)
    return rows
  } catch (error) {
    connection.close()
    // PostgreSQL's errors have codes. What has none is a connection that was broken before, and nothing was asked yet.
    if (idle !== undefined && !(error instanceof Error && 'code' in error)) {
      return await query(databaseUrl, text, values)
    }
    throw error
  }
}

function take(databaseUrl: string): Connection | undefined {
  const found = kept.get(databaseUrl)
  kept.delete(databaseUrl)
  clearTimeout(found?.timer)
  return found?.connection
}

function keep(databaseUrl: string, connection: Connection): void {
  take(databaseUrl)?.close()
  const timer = setTimeout(() => take(databaseUrl)?.close(), KEPT_MS)
  // The end of the test's database ends the connection, and with it the process.
  kept.set(databaseUrl, { connection, timer: timer.unref() })
}

function open(databaseUrl: string): Promise<Connection> {
  const opened = Promise.withResolvers<Connection>()
  const closed = Promise.withResolvers<void>()
  withClient(databaseUrl, async (client) => {
    opened.resolve({ query: (text, values) => client.query(text, values), close: closed.resolve })
    await closed.promise
  }).catch(opened.reject)
  return opened.promise
}
