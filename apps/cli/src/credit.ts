import type { Command } from 'commander'
import { id, integer, label, noSuchAccount, required, takeAccount } from './arguments.ts'
import { addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { count, credits as inWords } from './format.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

const MOST = 1_000_000_000

interface Options extends ServerOptions {
  readonly account?: string
  readonly credits?: number
  readonly ref?: string
  readonly note?: string
}

interface Booking {
  readonly accountId: string
  readonly kind: 'grant' | 'adjustment'
  readonly credits: number
  readonly ref: string | undefined
  readonly note: string | undefined
}

export function addCreditCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'credit', 'what an account may spend')
  const add = (verb: 'grant' | 'adjust', summary: string, takes: (text: string) => number) =>
    addOperatorCommand(group, `${verb} [account]`, summary)
      .argument('[credits]', 'how many', takes)
      .option('--account <id>', 'whose credits', id)
      .option('--credits <credits>', 'how many', takes)
      .option('--ref <text>', 'such as the number of an invoice: with the same one it is booked only once', label(200))
      .option('--note <text>', 'why, for the ledger', label(500))
      .action((placed: string | undefined, placedCredits: number | undefined, options: Options) => {
        const { ref, note } = options
        const accountId = takeAccount(placed, options)
        const credits = required('credits', placedCredits, options.credits)
        const kind = verb === 'grant' ? 'grant' : 'adjustment'
        return operate(terminal, `credit ${verb}`, options, (desk) =>
          book(desk, { accountId, kind, credits, ref, note }),
        )
      })

  add('grant', 'give credits', integer(1, MOST))
  add('adjust', 'correct a balance upwards or downwards, never below zero', nonZero)
}

function nonZero(text: string): number {
  return integer(text.startsWith('-') ? -MOST : 1, text.startsWith('-') ? -1 : MOST)(text)
}

async function book({ operations }: OperatorDesk, booking: Booking): Promise<Outcome> {
  const { accountId, credits, ref } = booking
  const outcome = await operations.bookCredits(booking)
  switch (outcome.status) {
    case 'unknown account':
      throw noSuchAccount(accountId)
    case 'insufficient':
      throw new CliError(
        'refused',
        `the account has ${inWords(outcome.balance)}, and ${count(credits)} would bring it below zero`,
      )
    case 'ref used':
      throw new CliError('refused', `the ref "${ref ?? ''}" was used for another booking: choose another one`)
    case 'too large':
      throw new CliError('refused', 'the balance would be larger than 2,147,483,647 credits: book fewer')
    case 'booked': {
      const { balance, isRepeated } = outcome
      return {
        json: { accountId, credits, balance, ref: outcome.ref, repeated: isRepeated },
        text: isRepeated
          ? `The ref "${outcome.ref}" was booked before: nothing was changed. The balance is ${inWords(balance)}.`
          : `${credits > 0 ? 'Added' : 'Took'} ${inWords(Math.abs(credits))}. The balance is ${inWords(balance)}.`,
      }
    }
  }
}
