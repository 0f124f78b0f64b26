import type { Operations } from '@wombat/engine'
import type { Command } from 'commander'
import { addCommand } from './command.ts'
import { CliError } from './errors.ts'
import { runSupervised } from './on-database.ts'
import { readEnvironment } from './settings.ts'
import type { Outcome, Terminal } from './terminal.ts'

/** Where an operator's command is done: on a database, or by a distant server. */
export interface OperatorDesk {
  readonly operations: Operations
  /** Aborted when the command is told to end: long work stops where it is. */
  readonly stop: AbortSignal
}

export interface ServerOptions {
  readonly server?: string
  readonly token?: string
}

/** A command that a distant server can do as well. */
export function addOperatorCommand(parent: Command, usage: string, summary: string): Command {
  return addCommand(parent, usage, summary)
    .option('--server <url>', 'do it on this server, through its admin API (or WOMBAT_SERVER)')
    .option(
      '--token <token>',
      'its ADMIN_TOKEN (better WOMBAT_ADMIN_TOKEN: others on this machine see what a command is called with)',
    )
}

/** Runs an operator's command on the database, or on the server that the options or the environment name. */
export async function operate(
  terminal: Terminal,
  purpose: string,
  options: ServerOptions,
  work: (desk: OperatorDesk) => Promise<Outcome>,
): Promise<void> {
  const server = chooseServer(options)
  if (server === undefined) {
    const { onDatabase } = await import('./on-database.ts')
    await onDatabase(terminal, purpose, ({ operations, stop }) => work({ operations, stop }))
    return
  }
  if (server.isExposed) {
    terminal.warn(`the token goes to ${server.url} unencrypted: anybody on the way can read it`)
  }
  const { openServerOperations } = await import('./on-server.ts')
  await runSupervised(terminal, async (stop) => {
    terminal.print(await work({ operations: openServerOperations({ ...server, stop }), stop }))
  })
}

interface Server {
  readonly url: string
  readonly token: string
  /** Its token would leave this machine in clear text. */
  readonly isExposed: boolean
}

function chooseServer(options: ServerOptions): Server | undefined {
  const { env } = readEnvironment(process.env, process.cwd())
  const text = options.server ?? (env.WOMBAT_SERVER?.trim() || undefined)
  const token = options.token ?? (env.WOMBAT_ADMIN_TOKEN?.trim() || undefined)
  if (text === undefined) {
    if (options.token !== undefined) {
      throw new CliError('usage', 'a token is of no use without a server: say --server URL, or set WOMBAT_SERVER')
    }
    return undefined
  }
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new CliError(
      'usage',
      `the server "${text.slice(0, 64)}" is no address: it takes one such as https://images.example.com`,
    )
  }
  if (token === undefined) {
    throw new CliError(
      'usage',
      'the token is missing: set WOMBAT_ADMIN_TOKEN to the ADMIN_TOKEN of the server, or say --token',
    )
  }
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  return { url: url.href.replace(/\/+$/, ''), token, isExposed: url.protocol === 'http:' && !isHere }
}
