import { Command } from 'commander'
import { addAccountCommands } from './account.ts'
import { addBackupCommands } from './backup.ts'
import { addCreditCommands } from './credit.ts'
import { addDoctorCommand } from './doctor-command.ts'
import { addGenerateCommand } from './generate-command.ts'
import { addImageCommands } from './image.ts'
import { addKeyCommands } from './key.ts'
import { addLedgerCommands } from './ledger.ts'
import { addPlanCommands } from './plan.ts'
import { addRouteCommands } from './route.ts'
import { addStartCommand } from './start-command.ts'
import { addStoreCommands } from './store.ts'
import type { Terminal } from './terminal.ts'
import { addTopCommand } from './top.ts'
import { addUsageCommand } from './usage.ts'
import { version } from './version.ts'
import { addWebhookCommands } from './webhook.ts'

const EPILOGUE = `
All commands work while the server runs and when it doesn't, on the database of DATA_DIR or DATABASE_URL. Settings come
from the environment and from .env; .env.example lists them. With --server URL, or WOMBAT_SERVER, an operator's commands are
done by that server (docs/admin-api.md).

Exit codes: 0 done, 1 failed or does not add up, 2 wrong usage, 3 configuration, 4 database or server not reached,
5 no such account, plan, key, image, route, webhook or delivery, 6 refused as things stand, 130 interrupted.`

/** All commands. What they need is loaded by the one that runs. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('wombat')
    .description('A self-hosted server that answers the KoalaImages API.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', EPILOGUE)
    .showSuggestionAfterError(true)
    .exitOverride()
    // Errors are printed in one place, in one line: main.ts.
    .configureOutput({ outputError: () => {} })
  addStartCommand(program, terminal)
  addGenerateCommand(program, terminal)
  addDoctorCommand(program, terminal)
  addAccountCommands(program, terminal)
  addPlanCommands(program, terminal)
  addKeyCommands(program, terminal)
  addCreditCommands(program, terminal)
  addLedgerCommands(program, terminal)
  addUsageCommand(program, terminal)
  addImageCommands(program, terminal)
  addRouteCommands(program, terminal)
  addWebhookCommands(program, terminal)
  addStoreCommands(program, terminal)
  addBackupCommands(program, terminal)
  addTopCommand(program, terminal)
  return program
}
