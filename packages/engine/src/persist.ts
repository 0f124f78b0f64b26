import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, type Logger } from './logger.ts'

const FIRST_DELAY_MS = 200
const MOST_DELAY_MS = 15_000

/** Does what must not be given up for a passing fault, with growing pauses, until it works or the signal aborts. */
export async function persist<T>(
  task: () => Promise<T>,
  options: { signal: AbortSignal; log: Logger; imageId: string; what: string },
): Promise<T> {
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, MOST_DELAY_MS)) {
    try {
      return await task()
    } catch (error) {
      if (options.signal.aborted) {
        throw error
      }
      options.log.warn(
        { imageId: options.imageId, what: options.what, err: describeError(error) },
        'picture could not be kept yet, trying again',
      )
      await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal: options.signal })
    }
  }
}
