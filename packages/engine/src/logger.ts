import { destination, type Logger, pino } from 'pino'

export type { Logger } from 'pino'

/** Readable lines on a terminal, JSON otherwise. Callers give fields by name: never prompts, keys or bytes. */
export async function createLogger(options: { level: string; format: 'auto' | 'pretty' | 'json' }): Promise<Logger> {
  const isPretty = options.format === 'pretty' || (options.format === 'auto' && process.stdout.isTTY === true)
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (!isPretty) {
    return pino(
      { ...settings, formatters: { level: (label) => ({ level: label }) } },
      destination({ dest: 1, sync: true }),
    )
  }
  const { default: pretty } = await import('pino-pretty')
  const stream = pretty({
    colorize: process.stdout.hasColors?.() ?? false,
    translateTime: 'SYS:HH:MM:ss',
    sync: true,
    singleLine: true,
  })
  return pino(settings, stream)
}

/** What may be logged of an error: no request or response of an upstream hangs on it. */
export function describeError(error: unknown): {
  name: string
  message: string
  code?: string
  stack?: string
  cause?: string
} {
  if (!(error instanceof Error)) {
    return { name: 'unknown', message: String(error).slice(0, 200) }
  }
  return {
    name: error.name,
    message: error instanceof SyntaxError ? 'what was read is not well-formed' : error.message.slice(0, 500),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(error.cause instanceof Error ? { cause: causeOf(error.cause) } : {}),
    ...(error.stack === undefined ? {} : { stack: framesOf(error.stack) }),
  }
}

/** Who can't read a text quotes it, and it may be a prompt. */
function causeOf(cause: Error): string {
  return cause instanceof SyntaxError ? cause.name : cause.message.slice(0, 200)
}

/** Without what else is in a stack: a message of several lines. */
function framesOf(stack: string): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return frames
    .slice(0, 5)
    .map((line) => line.trim())
    .join(' < ')
}
