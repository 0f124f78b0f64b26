import type { Account, AccountSummary } from '@wombat/engine'
import type { Command } from 'commander'
import { id, integer, label, noSuchAccount, takeAccount } from './arguments.ts'
import { addGroup } from './command.ts'
import { takeConsent } from './confirm.ts'
import { eraseAll } from './erase.ts'
import { CliError } from './errors.ts'
import { count, credits, sheet, table, time } from './format.ts'
import { activeKeys, toKeyJson } from './key.ts'
import { type OrNone, orNone, toLimit } from './limits.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import { noSuchPlan, planName } from './plan.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface CreateOptions extends ServerOptions {
  readonly name: string
  readonly plan: string
  readonly credits: number
  readonly rateLimit?: number
}

interface SetOptions extends ServerOptions {
  readonly name?: string
  readonly account?: string
  readonly plan?: string
  readonly rateLimit?: OrNone<number>
}

export function addAccountCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'account', 'who may use this server, on which plan')

  addOperatorCommand(group, 'create', 'open an account with credits and a first key, which is shown this once')
    .requiredOption('--name <name>', 'what people call it', label(100))
    .option('--plan <plan>', 'what it may use: a name from `wombat plan list`', planName, 'basic')
    .option('--credits <credits>', 'what it starts with', integer(0, 1_000_000_000), 0)
    .option('--rate-limit <number>', 'requests a minute for each of its keys', integer(1, 1_000_000))
    .action((options: CreateOptions) => operate(terminal, 'account create', options, (desk) => create(desk, options)))

  addOperatorCommand(group, 'list', 'the newest accounts')
    .option('--limit <number>', 'how many at most', integer(1, 10_000), 100)
    .action((options: ServerOptions & { limit: number }) =>
      operate(terminal, 'account list', options, (desk) => list(desk, options.limit)),
    )

  addOperatorCommand(group, 'show [account]', 'one account and its keys')
    .option('--account <id>', 'its id', id)
    .action((placed: string | undefined, options: ServerOptions & { account?: string }) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'account show', options, (desk) => show(desk, accountId))
    })

  addOperatorCommand(group, 'set [account]', 'change what it may do, at once')
    .option('--account <id>', 'its id', id)
    .option('--name <name>', 'what people call it', label(100))
    .option('--plan <plan>', 'its plan from now on', planName)
    .option('--rate-limit <number>', 'requests a minute for each of its keys, or none', orNone(integer(1, 1_000_000)))
    .action((placed: string | undefined, options: SetOptions) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'account set', options, (desk) => set(desk, accountId, options))
    })

  addOperatorCommand(group, 'disable [account]', 'refuse its keys from now on; its images stay')
    .option('--account <id>', 'its id', id)
    .action((placed: string | undefined, options: ServerOptions & { account?: string }) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'account disable', options, (desk) => setDisabled(desk, accountId, true))
    })

  addOperatorCommand(group, 'enable [account]', 'accept its keys again')
    .option('--account <id>', 'its id', id)
    .action((placed: string | undefined, options: ServerOptions & { account?: string }) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'account enable', options, (desk) => setDisabled(desk, accountId, false))
    })

  addOperatorCommand(
    group,
    'erase [account]',
    'delete all its images and prompts for good; the ledger and the account stay',
  )
    .option('--account <id>', 'its id', id)
    .option('--disable', 'disable the account first, so that nothing is ordered meanwhile')
    .option('--yes', 'do not ask')
    .action((placed: string | undefined, options: ServerOptions & { account?: string; disable?: true; yes?: true }) => {
      const accountId = takeAccount(placed, options)
      const erasing = { accountId, isToBeDisabled: options.disable === true, consent: takeConsent(terminal, options) }
      return operate(terminal, 'account erase', options, (desk) => eraseAll(desk, terminal, erasing))
    })
}

async function create({ operations }: OperatorDesk, options: CreateOptions): Promise<Outcome> {
  const { name, plan, credits: opening, rateLimit } = options
  const made = await operations.openAccount({
    name,
    plan,
    credits: opening,
    rateLimitPerMinute: rateLimit,
  })
  if (made === 'unknown plan') {
    throw noSuchPlan(plan)
  }
  const { account, apiKey } = made
  return {
    json: { accountId: account.id, apiKey, plan: account.plan, balance: account.balance },
    text: sheet([
      ['account', account.id],
      ['name', account.name],
      ['plan', account.plan],
      ['balance', credits(account.balance)],
      ['API key', `${apiKey}   (keep it: it is shown only now)`],
    ]),
  }
}

async function list({ operations }: OperatorDesk, limit: number): Promise<Outcome> {
  const { items: accounts } = await operations.listAccounts({ limit })
  const rows = accounts.map((account) => [
    account.id,
    account.name,
    account.plan,
    count(account.balance),
    String(account.keys),
    account.disabledAt === null ? 'active' : 'disabled',
    time(account.createdAt),
  ])
  return {
    json: { accounts: accounts.map((account) => ({ ...toAccountJson(account), keys: account.keys })) },
    text:
      accounts.length === 0
        ? 'There is no account yet. `wombat start` makes the first one, or `wombat account create --name NAME`.'
        : table(['ACCOUNT', 'NAME', 'PLAN', 'BALANCE', 'KEYS', 'STATE', 'CREATED'], rows, [3, 4]),
  }
}

async function show({ operations }: OperatorDesk, accountId: string): Promise<Outcome> {
  const found = await operations.showAccount(accountId)
  if (found === undefined) {
    throw noSuchAccount(accountId)
  }
  const { account, keys } = found
  return {
    json: { ...toAccountJson(account), keys: keys.map(toKeyJson) },
    text: `${accountSheet(account)}\n\n${activeKeys(keys)}`,
  }
}

async function set(desk: OperatorDesk, accountId: string, options: SetOptions): Promise<Outcome> {
  const { name, plan } = options
  const rateLimitPerMinute = toLimit(options.rateLimit)
  if (name === undefined && plan === undefined && rateLimitPerMinute === undefined) {
    throw new CliError('usage', 'there is nothing to set: give --name, --plan or --rate-limit')
  }
  const changed = await desk.operations.changeAccount(accountId, { name, plan, rateLimitPerMinute })
  if (changed === undefined) {
    throw noSuchAccount(accountId)
  }
  if (changed === 'unknown plan') {
    throw noSuchPlan(plan ?? '')
  }
  return await show(desk, accountId)
}

async function setDisabled({ operations }: OperatorDesk, accountId: string, isDisabled: boolean): Promise<Outcome> {
  if (!(await operations.setAccountDisabled(accountId, isDisabled))) {
    throw noSuchAccount(accountId)
  }
  return {
    json: { accountId, disabled: isDisabled },
    text: isDisabled ? `The account ${accountId} is disabled.` : `The account ${accountId} is active.`,
  }
}

function accountSheet(account: Account): string {
  return sheet([
    ['account', account.id],
    ['name', account.name],
    ['plan', account.plan],
    ['balance', credits(account.balance)],
    [
      'rate limit',
      account.rateLimitPerMinute === null ? 'default' : `${account.rateLimitPerMinute} a minute for each key`,
    ],
    ['state', account.disabledAt === null ? 'active' : `disabled since ${time(account.disabledAt)}`],
    ['created', time(account.createdAt)],
  ])
}

function toAccountJson(account: Account | AccountSummary) {
  return {
    accountId: account.id,
    name: account.name,
    plan: account.plan,
    balance: account.balance,
    rateLimitPerMinute: account.rateLimitPerMinute,
    disabled: account.disabledAt !== null,
    createdAt: account.createdAt,
  }
}
