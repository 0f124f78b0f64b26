import { createInterface } from 'node:readline'
import { CliError } from './errors.ts'
import type { Terminal } from './terminal.ts'

/** For what can't be undone: whether the operator means it. */
export interface Consent {
  /** Returns when they said so before, or say so now. Throws a CliError otherwise. */
  ask(question: string, stop: AbortSignal): Promise<void>
}

/** Throws a CliError when nobody has said yes and there is no terminal to ask at, before anything is opened. */
export function takeConsent(terminal: Terminal, { yes }: { yes?: true }): Consent {
  if (yes === true) {
    return { ask: async () => {} }
  }
  if (terminal.isJson || !process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError('usage', "this can't be undone, and there is no terminal to ask at: say --yes")
  }
  return {
    async ask(question, stop) {
      if (!(await askYes(question, { input: process.stdin, output: process.stderr, stop }))) {
        throw new CliError('interrupted', 'nothing was erased')
      }
    },
  }
}

/** True for an answer of yes; false for every other one, for none, and when it is told to stop. */
export async function askYes(
  question: string,
  options: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream; stop: AbortSignal },
): Promise<boolean> {
  const { input, output, stop } = options
  if (stop.aborted) {
    return false
  }
  output.write(`${question} Type yes: `)
  const lines = createInterface({ input, signal: stop })
  for await (const line of lines) {
    return line.trim().toLowerCase() === 'yes'
  }
  // Nobody pressed Enter, so what comes next would stand behind the question.
  output.write('\n')
  return false
}
