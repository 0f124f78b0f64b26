import type { Command } from 'commander'
import { id, integer, noSuchAccount, takeAccount } from './arguments.ts'
import { addGroup } from './command.ts'
import { count, credits, plural, table, time } from './format.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

export function addLedgerCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'ledger', 'every change of every balance')

  addOperatorCommand(group, 'verify', 'recompute all of it; exit code 1 when something does not add up').action(
    (options: ServerOptions) => operate(terminal, 'ledger verify', options, verify),
  )

  addOperatorCommand(group, 'show [account]', 'the newest entries of an account')
    .option('--account <id>', 'whose entries', id)
    .option('--limit <number>', 'how many at most', integer(1, 100_000), 50)
    .action((placed: string | undefined, options: ServerOptions & { account?: string; limit: number }) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'ledger show', options, (desk) => show(desk, accountId, options.limit))
    })
}

async function verify({ operations }: OperatorDesk): Promise<Outcome> {
  const { faults, ...counts } = await operations.verifyLedger()
  const checked = `${plural(counts.accounts, 'account', 'accounts')} with ${credits(counts.credits)}, ${plural(counts.entries, 'entry', 'entries')}, ${plural(counts.images, 'image', 'images')}`
  const json = { ok: faults.length === 0, ...counts, faults }
  if (faults.length === 0) {
    return { json, text: `The ledger adds up: ${checked}.` }
  }
  const rows = faults.map(({ rule, subject, detail }) => [subject, rule, detail])
  return {
    json,
    text: `The ledger does NOT add up (${checked}):\n\n${table(['SUBJECT', 'BROKEN RULE', 'DETAIL'], rows)}`,
    failure: 'failed',
  }
}

async function show({ operations }: OperatorDesk, accountId: string, limit: number): Promise<Outcome> {
  const found = await operations.showAccount(accountId)
  if (found === undefined) {
    throw noSuchAccount(accountId)
  }
  const { account } = found
  const { items: entries } = await operations.listEntries(accountId, { limit })
  const rows = entries.map((entry) => [
    entry.id,
    time(entry.at),
    entry.kind,
    entry.amount > 0 ? `+${count(entry.amount)}` : count(entry.amount),
    count(entry.balanceAfter),
    entry.ref,
    entry.note,
  ])
  const balance = `The balance of ${account.id} (${account.name}) is ${credits(account.balance)}.`
  return {
    json: { accountId, balance: account.balance, entries },
    text:
      entries.length === 0
        ? balance
        : `${table(['ENTRY', 'AT', 'KIND', 'AMOUNT', 'BALANCE', 'REF', 'NOTE'], rows, [0, 3, 4])}\n\n${balance}`,
  }
}
