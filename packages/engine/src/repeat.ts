import { describeError, type Logger } from './logger.ts'

/** What keeps failing for the same reason is told once in this time. */
const SAME_AGAIN_MS = 10_000

/**
 * Runs a task again and again, never twice at once in this process, with a pause in between that varies a little so
 * that processes don't keep step. A task that throws is logged and tried again next time.
 */
export function repeat(
  task: () => Promise<void>,
  options: { everyMs: number; name: string; log: Logger },
): { stop(): Promise<void> } {
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let told = { reason: '', ms: Number.NEGATIVE_INFINITY }

  function run() {
    running = task()
      .catch((error: unknown) => {
        const [reason, ms] = [String(error), performance.now()]
        if (!isStopped && (reason !== told.reason || ms - told.ms >= SAME_AGAIN_MS)) {
          told = { reason, ms }
          options.log.warn({ task: options.name, err: describeError(error) }, 'background task failed, will run again')
        }
      })
      .then(() => {
        if (!isStopped) {
          timer = setTimeout(run, options.everyMs * (0.9 + Math.random() * 0.2))
        }
      })
  }
  run()
  return {
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await running
    },
  }
}
