import { CliError, EXIT_CODES, type FailureCode, messageOf } from './errors.ts'

/** What a command has to say: as JSON for scripts, as text for people. */
export interface Outcome {
  readonly json: object
  readonly text: string
  /** When it worked and yet found something wrong. */
  readonly failure?: FailureCode
}

/** Standard output has the outcome and nothing else; everything beside it goes to standard error. */
export interface Terminal {
  readonly isJson: boolean
  print(outcome: Outcome): void
  /** For people who watch; scripts don't get it. */
  note(text: string): void
  warn(text: string): void
  /** Prints one line for an error and sets the exit code. */
  fail(error: unknown): void
}

export function openTerminal(options: { isJson: boolean }): Terminal {
  const { isJson } = options
  for (const stream of [process.stdout, process.stderr]) {
    // The reader has gone, as in `wombat account list | head -1`, or the terminal was closed: nobody is left to tell.
    stream.on('error', () => {})
  }
  return {
    isJson,
    print(outcome) {
      process.stdout.write(`${isJson ? JSON.stringify(outcome.json) : outcome.text}\n`)
      if (outcome.failure !== undefined) {
        process.exitCode = EXIT_CODES[outcome.failure]
      }
    },
    note(text) {
      if (!isJson) {
        process.stderr.write(`${text}\n`)
      }
    },
    warn(text) {
      process.stderr.write(isJson ? `${JSON.stringify({ warning: text })}\n` : `warning: ${text}\n`)
    },
    fail(error) {
      const known = error instanceof CliError ? error : undefined
      const code = known?.code ?? 'failed'
      process.exitCode = EXIT_CODES[code]
      const message = known?.message ?? explainUnforeseen(error)
      process.stderr.write(isJson ? `${JSON.stringify({ error: message, code })}\n` : `wombat: ${message}\n`)
    },
  }
}

/** Nobody foresaw it, so the trace may be needed: on request, since it helps no one who only uses Wombat. */
function explainUnforeseen(error: unknown): string {
  const message = messageOf(error).replace(/\s*\n\s*/g, ' ')
  if (/^(debug|trace)$/.test(process.env.LOG_LEVEL ?? '') && error instanceof Error) {
    return `${message}\n${error.stack}${error.cause === undefined ? '' : `\ncaused by ${String(error.cause)}`}`
  }
  return `${message} (LOG_LEVEL=debug shows where)`
}
