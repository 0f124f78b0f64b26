import type { NamedGroup, UsageFigures, UsageGroup, UsageLine } from '@wombat/engine'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { id, moment, noSuchAccount } from './arguments.ts'
import { CliError } from './errors.ts'
import { count, table } from './format.ts'
import type { EngineModule } from './on-database.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface Options extends ServerOptions {
  readonly by: UsageGroup
  readonly since?: Date
  readonly until?: Date
  readonly account?: string
  readonly csv?: true
}

const GROUPS: readonly NamedGroup[] = ['account', 'key', 'model', 'day', 'route']

const TAG = 'tag:'

type Kind = NamedGroup | 'tag'

function kindOf(by: UsageGroup): Kind {
  return GROUPS.find((one) => one === by) ?? 'tag'
}

/** One of the groups, or `tag:NAME`. */
function group(text: string): UsageGroup {
  const named = GROUPS.find((one) => one === text)
  if (named === undefined && !/^tag:[a-z][a-z0-9_-]{0,31}$/.test(text)) {
    throw new InvalidArgumentError(`Allowed choices are ${GROUPS.join(', ')}, or a tag such as tag:team.`)
  }
  return named ?? `tag:${text.slice(TAG.length)}`
}

const EPILOGUE = `
An image counts for the time when it was ordered: from --since on and before --until, which take a day or a time of UTC
(2030-01-31, 2030-01-31T18:00), or how long ago (7d, 24h). READY are also those that were removed since. NET is charged
less refunded. COST is what the providers took in US dollars, as far as they say it; UNKNOWN counts the calls of paid
ones that ended without it. By route an image counts for the last one that had it, a call for the one that was called. tag:NAME has a line for
each value of the tag NAME (X-Wombat-Tags: NAME=VALUE), and one for what came without it.`

export function addUsageCommand(program: Command, terminal: Terminal): void {
  addOperatorCommand(program, 'usage', 'what was ordered, made, charged, and paid to the providers')
    .option('--by <what>', `a line for each: ${GROUPS.join(', ')}, or tag:NAME`, group, 'model')
    .option('--since <when>', 'ordered from then on', moment)
    .option('--until <when>', 'ordered before then', moment)
    .option('--account <id>', 'of this account only', id)
    .addOption(new Option('--csv', 'print CSV and nothing else').conflicts('json'))
    .addHelpText('after', EPILOGUE)
    .action((options: Options) => {
      const { since, until } = options
      if (since !== undefined && until !== undefined && since >= until) {
        throw new CliError('usage', `--since ${since.toJSON()} is not before --until ${until.toJSON()}`)
      }
      return operate(terminal, 'usage', options, (desk) => report(desk, options))
    })
}

async function report({ operations }: OperatorDesk, options: Options): Promise<Outcome> {
  const { by, since, until, account: accountId } = options
  if (accountId !== undefined && (await operations.showAccount(accountId)) === undefined) {
    throw noSuchAccount(accountId)
  }
  const lines = await operations.sumUsage({ by, since, until, accountId })
  // What the engine knows of reports is loaded only here.
  const engine = await import('@wombat/engine')
  const total = engine.sumFigures(lines)
  return {
    json: {
      by,
      since: since ?? null,
      until: until ?? null,
      accountId: accountId ?? null,
      lines: lines.map((line) => ({ ...engine.usageLabels(by, line), ...engine.usageFigures(line) })),
      total,
    },
    text: options.csv === true ? engine.usageCsv(by, lines) : toTable(engine, by, lines, total),
  }
}

const LABELS: Readonly<Record<Kind, readonly string[]>> = {
  account: ['ACCOUNT', 'NAME'],
  key: ['KEY', 'NAME', 'ENDS IN'],
  model: ['MODEL'],
  day: ['DAY (UTC)'],
  route: ['ROUTE'],
  tag: ['VALUE OF TAG'],
}

const FIGURES = ['ORDERED', 'READY', 'FAILED', 'CHARGED', 'REFUNDED', 'NET', 'ATTEMPTS', 'COST', 'UNKNOWN']

function toTable(engine: EngineModule, by: UsageGroup, lines: readonly UsageLine[], total: UsageFigures): string {
  if (lines.length === 0) {
    return 'Nothing was ordered.'
  }
  const labels = LABELS[kindOf(by)]
  const rows = lines.map((line) => {
    const { group, name, lastFour } = line
    const shown = [
      group ?? (kindOf(by) === 'tag' ? 'without it' : 'none yet'),
      name ?? '',
      lastFour === null ? '' : `…${lastFour}`,
    ]
    return [...shown.slice(0, labels.length), ...toCells(engine, line)]
  })
  const last = ['TOTAL', '', ''].slice(0, labels.length)
  return table(
    [...labels, ...FIGURES],
    [...rows, [...last, ...toCells(engine, total)]],
    FIGURES.map((_, index) => labels.length + index),
  )
}

function toCells(engine: EngineModule, figures: UsageFigures): string[] {
  const { costMicroUsd, unknownCosts, ...counted } = engine.usageFigures(figures)
  return [...Object.values(counted).map(count), `$${engine.formatUsd(costMicroUsd)}`, count(unknownCosts)]
}
