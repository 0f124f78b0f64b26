import type { Prisma } from './generated/client.ts'
import type { Database, Statement } from './open-database.ts'

/**
 * Runs work in one transaction: what it is given is a database whose every statement, Prisma's or prepared, belongs to
 * it. It is rolled back when the work throws. For an operator's changes, not for the hot paths; within it nothing opens
 * another one.
 */
export async function inTransaction<T>(db: Database, work: (tx: Database) => Promise<T>): Promise<T> {
  return await db.prisma.$transaction((tx) => work(within(db, tx)), { timeout: TIMEOUT_MS })
}

const TIMEOUT_MS = 10_000

function within(db: Database, tx: Prisma.TransactionClient): Database {
  return {
    ...db,
    url: db.url,
    prisma: asClient(tx),
    async run<Row extends object>({ text }: Statement, values: readonly unknown[]) {
      try {
        return await tx.$queryRawUnsafe<Row[]>(text, ...values)
      } catch (error) {
        throw withSqlState(error)
      }
    },
  }
}

/** It lacks only what opens, closes or begins a transaction, which nobody does within one. */
function asClient(tx: Prisma.TransactionClient): Database['prisma'] {
  return tx as Database['prisma']
}

/** The SQLSTATE stands where pg has it, so that callers needn't know which of both ran the statement. */
function withSqlState(error: unknown): unknown {
  const state = findSqlState(error, 0)
  return state === undefined || !(error instanceof Error)
    ? error
    : Object.assign(new Error(error.message, { cause: error }), { code: state })
}

const DEEPEST = 6

function findSqlState(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null || depth > DEEPEST) {
    return undefined
  }
  if ('originalCode' in value && typeof value.originalCode === 'string') {
    return value.originalCode
  }
  const inner = ['meta', 'driverAdapterError', 'cause'].flatMap((name) =>
    name in value ? [Reflect.get(value, name)] : [],
  )
  return inner.map((one) => findSqlState(one, depth + 1)).find((state) => state !== undefined)
}
