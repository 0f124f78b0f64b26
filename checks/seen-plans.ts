import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Queryable, withClient } from '@wombat/database'
import { until } from '@wombat/testing'

/** One step of a plan that reads a table, and what it really read. */
export interface Scan {
  readonly query: string
  readonly node: string
  readonly table: string
  readonly index: string | undefined
  /** Rows that it looked at, in all its loops: those that it gave and those that it threw away. */
  readonly rows: number
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Actual Rows'?: number
  readonly 'Actual Loops'?: number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly PlanNode[]
}

/**
 * Has PostgreSQL write down the plan of each statement that new connections to a database run, those within functions and
 * of foreign keys as well, as it was carried out. Needs a superuser and a log that is collected in files.
 */
export async function watchPlans(url: string): Promise<AsyncDisposable & { read(): Promise<Scan[]> }> {
  const name = new URL(url).pathname.slice(1)
  const start = await withClient(url, async (client) => {
    for (const [setting, value] of Object.entries(SETTINGS)) {
      await client.query(`ALTER DATABASE ${name} SET ${setting} = '${value}'`)
    }
    return await endOfLog(client)
  })
  return {
    read: () =>
      withClient(url, async (client) => {
        // The log is written by a process of its own. What it has of us now, it has of all who were before.
        const mark = randomUUID()
        await client.query(`SELECT '${mark}'`)
        await client.query('SET auto_explain.log_min_duration = -1')
        const readLog = async () => {
          const { file, bytes } = await endOfLog(client)
          const from = file === start.file ? start.bytes : 0
          const { rows } = await client.query('SELECT pg_read_binary_file($1, $2, $3) AS bytes', [
            file,
            from,
            bytes - from,
          ])
          const text = rows[0].bytes.toString('utf8')
          return text.includes(mark) && text
        }
        return scansOf(await until(readLog, { what: 'the log is written' }))
      }),
    [Symbol.asyncDispose]: () =>
      withClient(url, async (client) => {
        for (const setting of Object.keys(SETTINGS)) {
          await client.query(`ALTER DATABASE ${name} RESET ${setting}`)
        }
      }),
  }
}

const SETTINGS = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_format': 'json',
  'auto_explain.log_parameter_max_length': '0',
}

async function endOfLog(client: Queryable): Promise<{ file: string; bytes: number }> {
  const { rows } = await client.query(
    'SELECT l.file, (pg_stat_file(l.file)).size::float8 AS bytes FROM pg_current_logfile() AS l(file)',
  )
  const { file, bytes } = rows[0]
  assert.equal(typeof file, 'string', 'the log is collected')
  return { file, bytes }
}

/** The lines of a message after the first one begin with a tab. */
const MESSAGE = /LOG: {2}duration: [\d.]+ ms {2}plan:\n((?:\t.*\n)+)/g

function scansOf(log: string): Scan[] {
  return [...log.matchAll(MESSAGE)].flatMap(([, json = '']) => {
    const message = JSON.parse(json) as { 'Query Text': string; Plan: PlanNode }
    return scansUnder(message.Plan, message['Query Text'].replaceAll(/\s+/g, ' ').trim())
  })
}

function scansUnder(node: PlanNode, query: string): Scan[] {
  const below = (node.Plans ?? []).flatMap((one) => scansUnder(one, query))
  const table = node['Relation Name']
  if (table === undefined || node['Node Type'] === 'ModifyTable') {
    return below
  }
  const each = [node['Actual Rows'], node['Rows Removed by Filter'], node['Rows Removed by Index Recheck']]
  const rows = each.reduce<number>((sum, count) => sum + (count ?? 0), 0) * (node['Actual Loops'] ?? 0)
  return [{ query, node: node['Node Type'], table, index: indexOf(node), rows }, ...below]
}

/** A bitmap's index is named by the step below it. */
function indexOf(node: PlanNode): string | undefined {
  return node['Index Name'] ?? (node['Node Type'].startsWith('Bitmap') ? node.Plans?.map(indexOf).join() : undefined)
}
