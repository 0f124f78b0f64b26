import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, type Logger } from './logger.ts'

const FIRST_DELAY_MS = 200
const MOST_DELAY_MS = 15_000

/**
 * Does what must not be given up for a passing fault, with growing pauses, until it works or the
 * signal aborts, or until `endMs` on the clock of performance.now().
 */
export async function persist<T>(
  task: () => Promise<T>,
  options: { signal: AbortSignal; endMs: number; log: Logger; imageId: string; what: string },
): Promise<T> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, MOST_DELAY_MS)) {
    try {
      return await task()
    } catch (error) {
      const leftMs = options.endMs - performance.now()
      if (options.signal.aborted || leftMs <= 0) {
        throw error
      }
      options.log.warn(
        { imageId: options.imageId, what: options.what, err: describeError(error) },
        'picture could not be kept yet, trying again',
      )
      await sleep(Math.min(leftMs, delayMs * (0.5 + Math.random() / 2)), undefined, { signal: options.signal })
    }
  }
}
