import type { Plan, PlanChange, PlanSummary } from '@wombat/engine'
import { type Command, InvalidArgumentError } from 'commander'
import { integer, required } from './arguments.ts'
import { addCommand, addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { count, plural, sheet, table, time } from './format.ts'
import { checkWords, decimal, type OrNone, orNone, toLimit, list as words } from './limits.ts'
import { type Desk, onDatabase } from './on-database.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface PlanOptions {
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
    work: (desk: Desk, name: string, options: PlanOptions) => Promise<Outcome>,
  ): ((placed: string | undefined, options: PlanOptions) => Promise<void>) => {
    return (placed, options) => {
      const name = required('plan', placed === undefined ? undefined : checkName(placed), options.plan)
      return onDatabase(terminal, purpose, (desk) => work(desk, name, options))
    }
  }

  addFields(addCommand(group, 'create [plan]', 'make a plan')).action(run('plan create', create))
  addCommand(group, 'list', 'all plans, and how many accounts are on each').action(() =>
    onDatabase(terminal, 'plan list', list),
  )
  addName(addCommand(group, 'show [plan]', 'one plan')).action(run('plan show', show))
  addFields(addCommand(group, 'set [plan]', 'change a plan, for all accounts on it and at once')).action(
    run('plan set', set),
  )
  addName(addCommand(group, 'delete [plan]', 'delete a plan that no account is on')).action(run('plan delete', remove))
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

async function create({ db, engine }: Desk, name: string, options: PlanOptions): Promise<Outcome> {
  checkWords(engine.findUnknownWords({ allowedModels: options.models }))
  const plan: Plan = {
    name,
    isProfessional: options.professional ?? false,
    models: options.models ?? [],
    rateLimitPerMinute: toLimit(options.rateLimit) ?? null,
    concurrency: toLimit(options.concurrency) ?? null,
    deadlineHours: toLimit(options.deadlineHours) ?? null,
    deleteAfterDays: toLimit(options.deleteAfterDays) ?? null,
  }
  if (!(await engine.createPlan(db, plan))) {
    throw new CliError('refused', `there is a plan ${name} already: \`wombat plan set ${name}\` changes it`)
  }
  return await show({ db, engine }, name)
}

async function list({ db, engine }: Desk): Promise<Outcome> {
  const plans = await engine.listPlans(db)
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

async function show({ db, engine }: Pick<Desk, 'db' | 'engine'>, name: string): Promise<Outcome> {
  const plan = await engine.findPlan(db, name)
  if (plan === undefined) {
    throw noSuchPlan(name)
  }
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

async function set({ db, engine }: Desk, name: string, options: PlanOptions): Promise<Outcome> {
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
  checkWords(engine.findUnknownWords({ allowedModels: options.models }))
  if (!(await engine.changePlan(db, name, change))) {
    throw noSuchPlan(name)
  }
  return await show({ db, engine }, name)
}

async function remove({ db, engine }: Desk, name: string): Promise<Outcome> {
  const removal = await engine.removePlan(db, name)
  switch (removal.status) {
    case 'unknown plan':
      throw noSuchPlan(name)
    case 'in use': {
      const accounts = plural(removal.accounts, 'account is', 'accounts are')
      const remedy = 'put them on another one with `wombat account set ACCOUNT --plan PLAN`'
      throw new CliError('refused', `${accounts} on the plan ${name}: ${remedy}`)
    }
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
