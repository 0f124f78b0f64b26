import { userInfo } from 'node:os'
import type { AdminOperations, Database } from '@wombat/engine'
import { CliError } from './errors.ts'
import { publicUrl } from './server-url.ts'
import { readEnvironment, readSettings, type Settings } from './settings.ts'
import { supervise } from './supervise.ts'
import type { Outcome, Terminal } from './terminal.ts'

/** Loaded with the first command that needs it, so that help and mistakes on the command line cost nothing. */
export type EngineModule = typeof import('@wombat/engine')

export interface Desk {
  readonly db: Database
  readonly databaseUrl: string
  readonly engine: EngineModule
  readonly settings: Settings
  /** What an operator may do, signed with the user's name for the audit log. */
  readonly operations: AdminOperations
  /** Aborted when the command is told to end: long work stops where it is. */
  readonly stop: AbortSignal
}

/** Far more than a statement may take; only the embedded PostgreSQL's start may, which the next command mends. */
const GRACE_MS = 4_000

/** Runs a command's work on the database and prints what it answers. A server may run at the same time, or none. */
export async function onDatabase(
  terminal: Terminal,
  purpose: string,
  work: (desk: Desk) => Promise<Outcome>,
): Promise<void> {
  if (readEnvironment(process.env, process.cwd()).env.WOMBAT_SERVER?.trim()) {
    // What can be done elsewhere has gone there already; to do it here would be a surprise.
    throw new CliError(
      'usage',
      `\`wombat ${purpose}\` needs the database itself: unset WOMBAT_SERVER, and run it there`,
    )
  }
  await runSupervised(terminal, async (stop) => {
    const settings = await readSettings()
    for (const warning of settings.config.warnings) {
      terminal.warn(warning)
    }
    const [engine, { connect, hasDatabase, makeDataDir }] = await Promise.all([
      import('@wombat/engine'),
      import('./connect.ts'),
    ])
    const { config } = settings
    if (!(await hasDatabase(settings))) {
      await makeDataDir(settings.dataDir)
      terminal.note(`There is no database in ${settings.dataDir} yet: making one.`)
    }
    await using connection = await connect(settings, purpose)
    if (!stop.aborted) {
      const { db, url: databaseUrl } = connection
      const operations = engine.openOperations(db, { actor: commandActor(), config, publicUrl: publicUrl(config) })
      terminal.print(await work({ db, databaseUrl, engine, settings, operations, stop }))
    }
  })
}

/** Work that the system's signals end early. */
export async function runSupervised(terminal: Terminal, work: (stop: AbortSignal) => Promise<void>): Promise<void> {
  const { stoppedBy } = await supervise({ graceMs: GRACE_MS, onFault: (error) => terminal.fail(error) }, work)
  if (stoppedBy !== undefined && stoppedBy !== 'fault') {
    throw new CliError('interrupted', `ended by ${stoppedBy}`)
  }
}

/** Who the audit log says has used the command. */
export function commandActor(): string {
  try {
    return `cli:${userInfo().username}`
  } catch {
    // A container's user may have a number and no name.
    return `cli:${process.getuid?.() ?? 'unknown'}`
  }
}
