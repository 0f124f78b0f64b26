import type { Plan, PlanChange, PlanSummary } from '@wombat/engine'
import { type Command, InvalidArgumentError } from 'commander'
import { integer, required } from './arguments.ts'
import { addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { count, plural, sheet, table, time } from './format.ts'
import { checkWords, decimal, type OrNone, orNone, toLimit, list as words } from './limits.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface PlanOptions extends ServerOptions {
  readonly plan?: string
  readonly professional?: boolean
  readonly models?: string[]
  readonly rateLimit?: OrNone<number>
  readonly concurrency?: OrNone<number>
  readonly deadlineHours?: OrNone<number>
  readonly deleteAfterDays?: OrNone<number>
}

export function addPlanCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'plan', 'what accounts may do')
  const run = (
    purpose: string,
    work: (desk: OperatorDesk, name: string, options: PlanOptions) => Promise<Outcome>,
  ): ((placed: string | undefined, options: PlanOptions) => Promise<void>) => {
    return (placed, options) => {
      const name = required('plan', placed === undefined ? undefined : checkName(placed), options.plan)
      return operate(terminal, purpose, options, (desk) => work(desk, name, options))
    }
  }

  addFields(addOperatorCommand(group, 'create [plan]', 'make a plan')).action(run('plan create', create))
  addOperatorCommand(group, 'list', 'all plans, and how many accounts are on each').action((options: ServerOptions) =>
    operate(terminal, 'plan list', options, list),
  )
  addName(addOperatorCommand(group, 'show [plan]', 'one plan')).action(run('plan show', show))
  addFields(addOperatorCommand(group, 'set [plan]', 'change a plan, for all accounts on it and at once')).action(
    run('plan set', set),
  )
  addName(addOperatorCommand(group, 'delete [plan]', 'delete a plan that no account is on')).action(
    run('plan delete', remove),
  )
}

const NAME = /^[a-z][a-z0-9_-]{0,31}$/
const NAME_TAKES = 'small letters, digits, dashes and underscores, at most 32, and a letter first'

/** The name of a plan, as an option. */
export function planName(text: string): string {
  if (!NAME.test(text)) {
    throw new InvalidArgumentError(`It takes ${NAME_TAKES}.`)
  }
  return text
}

function checkName(text: string): string {
  if (!NAME.test(text)) {
    throw new CliError('usage', `the plan "${text.slice(0, 64)}" is no name: it takes ${NAME_TAKES}`)
  }
  return text
}

function addName(command: Command): Command {
  return command.option('--plan <name>', 'its name', planName)
}

function addFields(command: Command): Command {
  return addName(command)
    .option('--professional', 'it has what needs the Professional Plan')
    .option('--no-professional', 'it does not')
    .option('--models <models>', 'the only models that it has, such as gpt-image-2,standard, or none', words)
    .option(
      '--rate-limit <number>',
      'requests a minute of each account and key, or none',
      orNone(integer(1, 1_000_000)),
    )
    .option(
      '--concurrency <number>',
      'images in the making at once of one account, or none',
      orNone(integer(1, 10_000)),
    )
    .option('--deadline-hours <hours>', 'how long an image may wait, or none', orNone(decimal(0.0001, 8760)))
    .option('--delete-after-days <days>', 'how long images are kept, or none', orNone(decimal(0, 36_500)))
}

async function create({ operations }: OperatorDesk, name: string, options: PlanOptions): Promise<Outcome> {
  await checkWords({ allowedModels: options.models })
  const plan: Plan = {
    name,
    isProfessional: options.professional ?? false,
    models: options.models ?? [],
    rateLimitPerMinute: toLimit(options.rateLimit) ?? null,
    concurrency: toLimit(options.concurrency) ?? null,
    deadlineHours: toLimit(options.deadlineHours) ?? null,
    deleteAfterDays: toLimit(options.deleteAfterDays) ?? null,
  }
  const made = await operations.createPlan(plan)
  if (made === undefined) {
    throw new CliError('refused', `there is a plan ${name} already: \`wombat plan set ${name}\` changes it`)
  }
  return toOutcome(made)
}

async function list({ operations }: OperatorDesk): Promise<Outcome> {
  const plans = await operations.listPlans()
  const rows = plans.map((plan) => [
    plan.name,
    plan.isProfessional ? 'yes' : 'no',
    plan.models.length === 0 ? 'all' : plan.models.join(', '),
    inWords(plan.rateLimitPerMinute),
    inWords(plan.concurrency),
    inWords(plan.deadlineHours),
    inWords(plan.deleteAfterDays),
    count(plan.accounts),
  ])
  const titles = ['PLAN', 'PROFESSIONAL', 'MODELS', 'A MINUTE', 'AT ONCE', 'HOURS', 'DAYS KEPT', 'ACCOUNTS']
  return { json: { plans: plans.map(toJson) }, text: table(titles, rows, [3, 4, 5, 6, 7]) }
}

async function show({ operations }: OperatorDesk, name: string): Promise<Outcome> {
  const plan = await operations.findPlan(name)
  if (plan === undefined) {
    throw noSuchPlan(name)
  }
  return toOutcome(plan)
}

function toOutcome(plan: PlanSummary): Outcome {
  return {
    json: toJson(plan),
    text: sheet([
      ['plan', plan.name],
      ['professional', plan.isProfessional ? 'yes' : 'no'],
      ['models', plan.models.length === 0 ? 'all' : plan.models.join(', ')],
      ['requests a minute', inWords(plan.rateLimitPerMinute)],
      ['images at once', inWords(plan.concurrency)],
      ['deadline in hours', inWords(plan.deadlineHours)],
      ['images kept for days', inWords(plan.deleteAfterDays)],
      ['accounts', count(plan.accounts)],
      ['created', time(plan.createdAt)],
    ]),
  }
}

async function set({ operations }: OperatorDesk, name: string, options: PlanOptions): Promise<Outcome> {
  const change: PlanChange = {
    isProfessional: options.professional,
    models: options.models,
    rateLimitPerMinute: toLimit(options.rateLimit),
    concurrency: toLimit(options.concurrency),
    deadlineHours: toLimit(options.deadlineHours),
    deleteAfterDays: toLimit(options.deleteAfterDays),
  }
  if (Object.values(change).every((value) => value === undefined)) {
    throw new CliError('usage', 'there is nothing to set: name at least one option')
  }
  await checkWords({ allowedModels: options.models })
  const changed = await operations.changePlan(name, change)
  if (changed === undefined) {
    throw noSuchPlan(name)
  }
  return toOutcome(changed)
}

async function remove({ operations }: OperatorDesk, name: string): Promise<Outcome> {
  const removal = await operations.removePlan(name)
  switch (removal.status) {
    case 'unknown plan':
      throw noSuchPlan(name)
    case 'in use': {
      const accounts = plural(removal.accounts, 'account is', 'accounts are')
      const remedy = 'put them on another one with `wombat account set ACCOUNT --plan PLAN`'
      throw new CliError('refused', `${accounts} on the plan ${name}: ${remedy}`)
    }
    case 'built in':
      throw new CliError('refused', `the plan ${name} is always there`)
    case 'deleted':
      return { json: { plan: name, deleted: true }, text: `The plan ${name} is deleted.` }
  }
}

export function noSuchPlan(name: string): CliError {
  return new CliError('not_found', `there is no plan ${name}: \`wombat plan list\` shows them`)
}

function inWords(limit: number | null): string {
  return limit === null ? 'default' : count(limit)
}

function toJson({ isProfessional, ...plan }: PlanSummary) {
  return { ...plan, professional: isProfessional }
}
