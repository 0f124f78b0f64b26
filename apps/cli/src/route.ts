import type { RouteLine } from '@wombat/engine'
import type { Command } from 'commander'
import { label, required } from './arguments.ts'
import { addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { shorten, table, time } from './format.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

export function addRouteCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'route', 'the ways to the providers')

  addOperatorCommand(group, 'list', 'every route, whether it is in use, and why not').action((options: ServerOptions) =>
    operate(terminal, 'route list', options, list),
  )

  addOperatorCommand(group, 'resume [route]', 'use a route again at once, whatever kept it from use')
    .option('--route <name>', 'its name, from `wombat route list`', label(200))
    .action((placed: string | undefined, options: ServerOptions & { route?: string }) => {
      const name = required('route', placed, options.route)
      return operate(terminal, 'route resume', options, (desk) => resume(desk, name))
    })
}

async function list({ operations }: OperatorDesk): Promise<Outcome> {
  const routes = await operations.listRoutes()
  const rows = routes.map((route) => [
    route.route,
    route.adapter ?? '',
    route.models.length === 0 ? 'none' : route.models.join(', '),
    route.adapter === null ? 'not configured' : inWords(route),
    String(route.failures),
    route.concurrency === null ? String(route.busy) : `${route.busy} of ${route.concurrency}`,
    shorten(route.reason ?? '', 80),
  ])
  return {
    json: { routes },
    text:
      routes.length === 0
        ? 'There is no route: no provider has a key, and SYNTHETIC is off.'
        : table(['ROUTE', 'ADAPTER', 'MODELS', 'STATE', 'FAILURES', 'CALLS', 'REASON'], rows, [4, 5]),
  }
}

export function inWords({ state, until }: Pick<RouteLine, 'state' | 'until'>): string {
  switch (state) {
    case 'unused':
      return 'not used yet'
    case 'in_use':
      return 'in use'
    case 'paused':
    case 'down':
    case 'parked':
      return until === null ? `${state}; the next call tries it` : `${state} until ${time(until)}`
  }
}

async function resume({ operations }: OperatorDesk, name: string): Promise<Outcome> {
  switch (await operations.resumeRoute(name)) {
    case 'resumed':
      return {
        json: { route: name, resumed: true },
        text: `The route ${name} is in use; what waited because of it is tried at once.`,
      }
    case 'never used':
      return {
        json: { route: name, resumed: false },
        text: `The route ${name} was never used: there is nothing to resume.`,
      }
    case 'unknown route':
      throw new CliError('not_found', `there is no route ${name.slice(0, 64)}: \`wombat route list\` shows them`)
  }
}
