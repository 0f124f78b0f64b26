import type { Database } from '@wombat/database'
import { listRouteStates, readQueueFigures } from '@wombat/images'
import { describeError, type Logger } from './logger.ts'
import type { DatabaseFigures } from './metrics.ts'

/** Several gauges and several who ask share one look. */
const FRESH_MS = 5_000
/** Who asks must get the rest in time, whatever the database does. */
const PATIENCE_MS = 2_000

/** Queue and routes as all processes have them, at most five seconds old; undefined while the database does not answer. */
export function createDatabaseFigures(
  db: Database,
  models: readonly string[],
  log: Logger,
): () => Promise<DatabaseFigures | undefined> {
  let readAtMs = Number.NEGATIVE_INFINITY
  let figures: Promise<DatabaseFigures | undefined> = Promise.resolve(undefined)

  async function read(): Promise<DatabaseFigures | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(() => resolve(undefined), PATIENCE_MS)
    try {
      const both = Promise.all([readQueueFigures(db, models), listRouteStates(db)])
      const found = await Promise.race([both, promise])
      return found === undefined ? undefined : { models: found[0], routes: found[1] }
    } catch (error) {
      log.debug({ err: describeError(error) }, 'the database could not be asked for metrics')
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  return () => {
    if (performance.now() - readAtMs > FRESH_MS) {
      readAtMs = performance.now()
      figures = read()
    }
    return figures
  }
}
