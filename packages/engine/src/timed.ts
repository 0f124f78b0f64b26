import type { Database, Statement } from '@wombat/database'
import type { BlobStore } from '@wombat/store'
import type { Metrics } from './metrics.ts'

/*
 * The seams where time is measured: neither the store nor the database knows of metrics. A proxy, so that whatever else
 * they can do stays as it is.
 */

const STORE_OPERATIONS = ['put', 'read', 'open', 'remove'] as const

export function timeStore(store: BlobStore, { observeStore }: Pick<Metrics, 'observeStore'>): BlobStore {
  return wrap(store, (name, method) =>
    STORE_OPERATIONS.some((one) => one === name)
      ? (...args) => measure(method(...args), (seconds, isOk) => observeStore(name, seconds, isOk))
      : method,
  )
}

export function timeDatabase(db: Database, { observeStatement }: Pick<Metrics, 'observeStatement'>): Database {
  return wrap(db, (name, method) =>
    name === 'run'
      ? (...args) => measure(method(...args), (seconds, isOk) => observeStatement(nameOf(args[0]), seconds, isOk))
      : method,
  )
}

/** The first argument of `Database.run`. */
function nameOf(statement: unknown): string {
  return (statement as Statement).name
}

type Method = (...args: unknown[]) => unknown

/** Passes everything through, the methods as `change` has them. */
function wrap<T extends object>(target: T, change: (name: string, method: Method) => Method): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object)
      if (typeof value !== 'function') {
        return value
      }
      const method: Method = (...args) => Reflect.apply(value, object, args)
      return typeof name === 'string' ? change(name, method) : method
    },
  })
}

async function measure<T>(result: T, tell: (seconds: number, isOk: boolean) => void): Promise<Awaited<T>> {
  const startedMs = performance.now()
  try {
    const value = await result
    tell((performance.now() - startedMs) / 1000, true)
    return value
  } catch (error) {
    tell((performance.now() - startedMs) / 1000, false)
    throw error
  }
}
