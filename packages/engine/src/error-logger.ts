import { destination, type Logger, pino } from 'pino'

/** JSON lines on standard error, for commands whose standard output is a document of its own. */
export function createErrorLogger(options: { level: string }): Logger {
  const formatters = { level: (label: string) => ({ level: label }) }
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }
  return pino(settings, destination({ dest: 2, sync: true }))
}
