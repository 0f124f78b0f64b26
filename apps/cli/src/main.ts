import { type Command, CommanderError } from 'commander'
import { CliError, EXIT_CODES } from './errors.ts'
import { createProgram } from './program.ts'
import { openTerminal, type Terminal } from './terminal.ts'

/** Runs one command line and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<never> {
  await run(argv)
  await flush()
  // Sockets that are kept alive, and what a library forgot, are no reason to stay.
  process.exit(process.exitCode)
}

/** Runs one command line and sets the exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  const end = argv.indexOf('--')
  const terminal = openTerminal({ isJson: argv.slice(0, end === -1 ? undefined : end).includes('--json') })
  const program = createProgram(terminal)
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    report(terminal, program, { error, argv })
  }
}

function report(
  terminal: Terminal,
  program: Command,
  { error, argv }: { error: unknown; argv: readonly string[] },
): void {
  if (!(error instanceof CommanderError)) {
    terminal.fail(
      error instanceof CliError && error.code === 'usage'
        ? new CliError('usage', `${error.message} (${helpFor(program, argv)})`)
        : error,
    )
    return
  }
  if (error.exitCode === 0) {
    return
  }
  if (error.code === 'commander.help') {
    // No command was named, and the help is already on the screen.
    process.exitCode = EXIT_CODES.usage
    return
  }
  const message = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  terminal.fail(new CliError('usage', `${message} (${helpFor(program, argv)})`))
}

/** Where to look: the help of the command as far as it was named. */
function helpFor(program: Command, argv: readonly string[]): string {
  let command = program
  let path = program.name()
  for (const word of argv) {
    const next = command.commands.find((one) => one.name() === word)
    if (next === undefined) {
      break
    }
    command = next
    path += ` ${next.name()}`
  }
  return `see \`${path} --help\``
}

/** What was written to a pipe may still be on its way. */
async function flush(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) =>
        new Promise<void>((resolve) => {
          if (stream.destroyed || stream.writableEnded) {
            resolve()
            return
          }
          stream.write('', () => resolve())
        }),
    ),
  )
}
