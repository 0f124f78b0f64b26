import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { PrismaClient } from './generated/client.ts'

/** A hot statement: prepared once a connection under its name. The name must be unique in the program. */
export interface Statement {
  readonly name: string
  readonly text: string
}

export interface OpenDatabaseOptions {
  readonly url: string
  /** Connections at most; the one that listens is not among them. */
  readonly poolSize: number
  readonly applicationName: string
  /** Called for connections that break while nobody uses them. */
  readonly onError: (error: Error) => void
}

export interface Database {
  readonly url: string
  /** For the ordinary work. The first use loads its engine, so the hot paths don't touch it. */
  readonly prisma: PrismaClient
  /** Runs a prepared statement and answers its rows, whose shape the caller knows from the statement. */
  run<Row extends object>(statement: Statement, values: readonly unknown[]): Promise<Row[]>
  /** Throws when the database does not answer within a second. */
  check(): Promise<void>
  close(): Promise<void>
}

/** Limits that keep one statement from holding up all others (milliseconds). */
const STATEMENT_TIMEOUT_MS = 5_000
const LOCK_TIMEOUT_MS = 3_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000

/** Opens a pool; no connection is made before the first statement. The caller closes it. */
export function openDatabase(options: OpenDatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  })
  pool.on('error', options.onError)
  let prisma: PrismaClient | undefined

  return {
    url: options.url,
    get prisma() {
      prisma ??= new PrismaClient({ adapter: new PrismaPg(pool) })
      return prisma
    },
    async run<Row extends object>(statement: Statement, values: readonly unknown[]) {
      const { rows } = await pool.query<Row>({ name: statement.name, text: statement.text, values: [...values] })
      return rows
    },
    async check() {
      await Promise.race([pool.query('SELECT 1'), rejectAfter(1_000)])
    },
    async close() {
      await prisma?.$disconnect()
      if (!pool.ended) {
        await pool.end()
      }
    },
  }
}

function rejectAfter(timeoutMs: number): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`the database did not answer within ${timeoutMs} ms`)), timeoutMs)
    timer.unref()
  })
}
