import { type Command, Option } from 'commander'
import { addCommand } from './command.ts'
import type { StartOptions } from './start.ts'
import type { Terminal } from './terminal.ts'

export function addStartCommand(program: Command, terminal: Terminal): void {
  addCommand(program, 'start', 'run the server until Ctrl-C')
    .addOption(
      new Option(
        '--role <role>',
        'api: HTTP only; worker: makes the images; scheduler: only keeps house; all: everything',
      )
        .choices(['all', 'api', 'worker', 'scheduler'])
        .default('all'),
    )
    .action(async (options: StartOptions) => {
      const { start } = await import('./start.ts')
      await start(terminal, options)
    })
}
