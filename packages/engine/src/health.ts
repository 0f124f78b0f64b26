import type { Engine } from './engine.ts'

export interface Health {
  readonly isReady: boolean
  /** Each part: "ok", or why not, in words for the operator. */
  readonly checks: Readonly<Record<'database' | 'queue' | 'store' | 'shutdown', string>>
}

const CHECK_TIMEOUT_MS = 2_000

/**
 * Can this process do its work now? Providers are left out on purpose: their outage must not take the server out. The
 * queue is looked at and does not count: without it requests are accepted and images made all the same.
 */
export async function checkHealth(engine: Engine): Promise<Health> {
  const [database, queue, store] = await Promise.all([
    outcome(engine.db.check()),
    outcome(engine.queue.check()),
    outcome(engine.store.check()),
  ])
  const shutdown = engine.isLeaving || engine.isStopping ? 'the server is stopping' : 'ok'
  const checks = { database, queue, store, shutdown }
  return { isReady: [database, store, shutdown].every((check) => check === 'ok'), checks }
}

async function outcome(check: Promise<void>): Promise<string> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS)
  try {
    await Promise.race([check, promise])
    return 'ok'
  } catch (error) {
    return error instanceof Error && error.message !== '' ? error.message : 'failed'
  } finally {
    clearTimeout(timer)
  }
}
