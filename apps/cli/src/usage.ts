import type { NamedGroup, UsageGroup, UsageLine } from '@wombat/engine'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { id, moment, noSuchAccount } from './arguments.ts'
import { addCommand } from './command.ts'
import { csv } from './csv.ts'
import { CliError } from './errors.ts'
import { count, table, usd } from './format.ts'
import { type Desk, onDatabase } from './on-database.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface Options {
  readonly by: UsageGroup
  readonly since?: Date
  readonly until?: Date
  readonly account?: string
  readonly csv?: true
}

type Figures = Omit<UsageLine, 'group' | 'name' | 'lastFour'>

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
  addCommand(program, 'usage', 'what was ordered, made, charged, and paid to the providers')
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
      return onDatabase(terminal, 'usage', (desk) => report(desk, options))
    })
}

async function report({ db, engine }: Desk, options: Options): Promise<Outcome> {
  const { by, since, until, account: accountId } = options
  if (accountId !== undefined && (await engine.showAccount(db, accountId)) === undefined) {
    throw noSuchAccount(accountId)
  }
  const lines = await engine.sumUsage(db, { by, since, until, accountId })
  const total = addUp(lines)
  return {
    json: {
      by,
      since: since ?? null,
      until: until ?? null,
      accountId: accountId ?? null,
      lines: lines.map((line) => ({ ...toLabels(by, line), ...toFigures(line) })),
      total,
    },
    text: options.csv === true ? toCsv(by, lines) : toTable(by, lines, total),
  }
}

/** What a line is about, under its names in JSON and CSV. */
function toLabels(by: UsageGroup, { group, name, lastFour }: UsageLine): Readonly<Record<string, string | null>> {
  switch (kindOf(by)) {
    case 'account':
      return { accountId: group, name }
    case 'key':
      return { keyId: group, name, lastFour }
    case 'model':
      return { model: group }
    case 'day':
      return { day: group }
    case 'route':
      return { route: group }
    case 'tag':
      return { tag: by.slice(TAG.length), value: group }
  }
}

/** In the order of the columns. */
function toFigures(line: Figures): Figures {
  const { ordered, ready, failed, creditsCharged, creditsRefunded, creditsNet } = line
  const { attempts, costMicroUsd, unknownCosts } = line
  return {
    ordered,
    ready,
    failed,
    creditsCharged,
    creditsRefunded,
    creditsNet,
    attempts,
    costMicroUsd,
    unknownCosts,
  }
}

function addUp(lines: readonly UsageLine[]): Figures {
  const sum = (figure: keyof Figures) => lines.reduce((total, line) => total + line[figure], 0)
  return {
    ordered: sum('ordered'),
    ready: sum('ready'),
    failed: sum('failed'),
    creditsCharged: sum('creditsCharged'),
    creditsRefunded: sum('creditsRefunded'),
    creditsNet: sum('creditsNet'),
    attempts: sum('attempts'),
    costMicroUsd: sum('costMicroUsd'),
    unknownCosts: sum('unknownCosts'),
  }
}

const CSV_LABELS: Readonly<Record<Kind, readonly string[]>> = {
  account: ['account', 'name'],
  key: ['key', 'name', 'last_four'],
  model: ['model'],
  day: ['day'],
  route: ['route'],
  tag: ['tag', 'value'],
}

const CSV_FIGURES = [
  'ordered',
  'ready',
  'failed',
  'credits_charged',
  'credits_refunded',
  'credits_net',
  'attempts',
  'cost_usd',
  'unknown_costs',
]

function toCsv(by: UsageGroup, lines: readonly UsageLine[]): string {
  return csv(
    [...CSV_LABELS[kindOf(by)], ...CSV_FIGURES],
    lines.map((line) => {
      const { costMicroUsd, unknownCosts, ...counted } = toFigures(line)
      const labels = Object.values(toLabels(by, line)).map((label) => label ?? '')
      return [...labels, ...Object.values(counted).map(String), usd(costMicroUsd), String(unknownCosts)]
    }),
  )
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

function toTable(by: UsageGroup, lines: readonly UsageLine[], total: Figures): string {
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
    return [...shown.slice(0, labels.length), ...toCells(line)]
  })
  const last = ['TOTAL', '', ''].slice(0, labels.length)
  return table(
    [...labels, ...FIGURES],
    [...rows, [...last, ...toCells(total)]],
    FIGURES.map((_, index) => labels.length + index),
  )
}

function toCells(figures: Figures): string[] {
  const { costMicroUsd, unknownCosts, ...counted } = toFigures(figures)
  return [...Object.values(counted).map(count), `$${usd(costMicroUsd)}`, count(unknownCosts)]
}
