import pg from 'pg'

export interface Queryable {
  // biome-ignore lint/suspicious/noExplicitAny: rows of ad-hoc statements have whatever columns the statement names.
  query(text: string, values?: readonly unknown[]): Promise<{ rows: any[]; rowCount: number | null }>
}

/** Runs one piece of work on a connection of its own, which is closed afterwards. For tools, backups and tests. */
export async function withClient<T>(url: string, work: (client: Queryable) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  // A server that goes away is reported by the query under way; without a listener it would end the process as well.
  client.on('error', () => {})
  await client.connect()
  try {
    return await work({ query: (text, values) => client.query(text, values === undefined ? [] : [...values]) })
  } finally {
    await client.end().catch(() => {})
  }
}
