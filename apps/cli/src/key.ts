import type { ApiKeySummary, KeyChange } from '@wombat/engine'
import type { Command } from 'commander'
import { checkId, futureTime, id, integer, label, noSuchAccount, required, takeAccount } from './arguments.ts'
import { addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { sheet, table, time } from './format.ts'
import {
  addLimitOptions,
  type LimitOptions,
  limitsInWords,
  type OrNone,
  orNone,
  toKeyLimits,
  toLimit,
} from './limits.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface CreateOptions extends LimitOptions, ServerOptions {
  readonly account?: string
  readonly name: string
  readonly expires?: Date
  readonly rateLimit?: number
}

interface SetOptions extends LimitOptions, ServerOptions {
  readonly key?: string
  readonly name?: string
  readonly expires?: OrNone<Date>
  readonly rateLimit?: OrNone<number>
}

export function addKeyCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'key', 'the API keys of an account')

  addLimitOptions(addOperatorCommand(group, 'create [account]', 'make a key, which is shown this once'))
    .option('--account <id>', 'whose key it is', id)
    .option('--name <name>', 'what it is for', label(100), '')
    .option('--expires <when>', 'when it stops working: 30d, 12h, 90m or a date', futureTime)
    .option('--rate-limit <number>', 'requests a minute', integer(1, 1_000_000))
    .action((placed: string | undefined, options: CreateOptions) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'key create', options, (desk) => create(desk, accountId, options))
    })

  addOperatorCommand(group, 'list [account]', 'its keys, by their last four characters')
    .option('--account <id>', 'whose keys', id)
    .option('--all', 'also those that are revoked or have expired')
    .action((placed: string | undefined, options: ServerOptions & { account?: string; all?: true }) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'key list', options, (desk) => list(desk, accountId, options.all === true))
    })

  addLimitOptions(addOperatorCommand(group, 'set [key]', 'change what it may do, at once'))
    .option('--key <id>', 'the id of the key, from `wombat key list`', id)
    .option('--name <name>', 'what it is for', label(100))
    .option('--expires <when>', 'when it stops working: 30d, 12h, 90m, a date, or none', orNone(futureTime))
    .option('--rate-limit <number>', 'requests a minute, or none', orNone(integer(1, 1_000_000)))
    .action((placed: string | undefined, options: SetOptions) => {
      const keyId = takeKey(placed, options)
      return operate(terminal, 'key set', options, (desk) => set(desk, keyId, options))
    })

  addOperatorCommand(group, 'revoke [key]', 'refuse it from now on, for ever')
    .option('--key <id>', 'the id of the key, from `wombat key list`', id)
    .action((placed: string | undefined, options: ServerOptions & { key?: string }) => {
      const keyId = takeKey(placed, options)
      return operate(terminal, 'key revoke', options, (desk) => revoke(desk, keyId))
    })
}

function takeKey(placed: string | undefined, options: { key?: string }): string {
  return required('key', placed === undefined ? undefined : checkId('key', placed), options.key)
}

async function create({ operations }: OperatorDesk, accountId: string, options: CreateOptions): Promise<Outcome> {
  const { name, expires, rateLimit } = options
  const limits = await toKeyLimits(options)
  const made = await operations.issueKey({
    accountId,
    name,
    ...(expires === undefined ? {} : { expiresAt: expires }),
    ...(rateLimit === undefined ? {} : { rateLimitPerMinute: rateLimit }),
    ...limits,
  })
  if (made === undefined) {
    throw noSuchAccount(accountId)
  }
  const { keyId, apiKey } = made
  return {
    json: { keyId, apiKey },
    text: sheet([
      ['key', keyId],
      ['API key', `${apiKey}   (keep it: it is shown only now)`],
      ['expires', expires === undefined ? undefined : time(expires)],
    ]),
  }
}

async function list({ operations }: OperatorDesk, accountId: string, isAll: boolean): Promise<Outcome> {
  const found = await operations.showAccount(accountId)
  if (found === undefined) {
    throw noSuchAccount(accountId)
  }
  return {
    json: { accountId, keys: found.keys.map(toKeyJson) },
    text: isAll ? keyTable(found.keys) : activeKeys(found.keys),
  }
}

async function set({ operations }: OperatorDesk, keyId: string, options: SetOptions): Promise<Outcome> {
  const change: KeyChange = {
    name: options.name,
    expiresAt: toLimit(options.expires),
    rateLimitPerMinute: toLimit(options.rateLimit),
    ...(await toKeyLimits(options)),
  }
  if (Object.values(change).every((value) => value === undefined)) {
    throw new CliError('usage', 'there is nothing to set: name at least one option')
  }
  const key = await operations.changeKey(keyId, change)
  if (key === undefined) {
    throw noSuchKey(keyId)
  }
  return { json: toKeyJson(key), text: keyTable([key]) }
}

async function revoke({ operations }: OperatorDesk, keyId: string): Promise<Outcome> {
  if (!(await operations.withdrawKey(keyId))) {
    throw noSuchKey(keyId)
  }
  return { json: { keyId, revoked: true }, text: `The key ${keyId} is revoked.` }
}

function noSuchKey(keyId: string): CliError {
  return new CliError('not_found', `there is no key ${keyId}: \`wombat key list ACCOUNT\` shows the ids`)
}

/** Every `wombat generate` leaves a revoked one, which nobody wants to see every time. */
export function activeKeys(keys: readonly ApiKeySummary[]): string {
  const active = keys.filter((key) => stateOf(key) === 'active')
  const others = keys.length - active.length
  const rest = others === 0 ? '' : `\n\n${others} more revoked or expired: \`wombat key list --all\` shows them.`
  return `${keyTable(active)}${rest}`
}

function keyTable(keys: readonly ApiKeySummary[]): string {
  if (keys.length === 0) {
    return 'It has no active key. `wombat key create ACCOUNT` makes one.'
  }
  const rows = keys.map((key) => [
    key.keyId,
    `…${key.lastFour}`,
    key.name,
    stateOf(key),
    time(key.createdAt),
    key.expiresAt === null ? 'never' : time(key.expiresAt),
    limitsInWords(key),
  ])
  return table(['KEY', 'ENDS IN', 'NAME', 'STATE', 'CREATED', 'EXPIRES', 'LIMITS'], rows)
}

export function toKeyJson(key: ApiKeySummary) {
  const { keyId, name, lastFour, createdAt, expiresAt, revokedAt, rateLimitPerMinute, dailyBudget, monthlyBudget } = key
  const { allowedModels: models, allowedQualities: qualities, allowedSizes: sizes, allowedNetworks: networks } = key
  const limits = { rateLimitPerMinute, dailyBudget, monthlyBudget, models, qualities, sizes, networks }
  return { keyId, name, lastFour, state: stateOf(key), createdAt, expiresAt, revokedAt, ...limits }
}

function stateOf({ revokedAt, expiresAt }: ApiKeySummary): 'active' | 'revoked' | 'expired' {
  if (revokedAt !== null) {
    return 'revoked'
  }
  return expiresAt !== null && expiresAt.getTime() <= Date.now() ? 'expired' : 'active'
}
