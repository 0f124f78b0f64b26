import type { DeliveryLine } from '@wombat/engine'
import { type Command, Option } from 'commander'
import { checkId, id, integer, required } from './arguments.ts'
import { CliError } from './errors.ts'
import { shorten, table, time } from './format.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface Options extends ServerOptions {
  readonly webhook?: string
  readonly url?: string
  readonly overlapHours?: number
  readonly status?: string
  readonly limit?: number
}

/** A command on one webhook, which is given as an argument or with --webhook. */
export function addOneWebhook(
  group: Command,
  terminal: Terminal,
  name: string,
  summary: string,
  work: (desk: OperatorDesk, webhookId: string, options: Options) => Promise<Outcome>,
  addOptions: (command: Command) => Command = (command) => command,
): void {
  const command = addOperatorCommand(group, `${name} [webhook]`, summary)
  addOptions(command.option('--webhook <id>', 'its id, from `wombat webhook list`', id)).action(
    (placed: string | undefined, options: Options) => {
      const webhookId = required(
        'webhook',
        placed === undefined ? undefined : checkId('webhook', placed),
        options.webhook,
      )
      return operate(terminal, `webhook ${name}`, options, (desk) => work(desk, webhookId, options))
    },
  )
}

export function noSuchWebhook(webhookId: string): CliError {
  return new CliError('not_found', `there is no webhook ${webhookId}: \`wombat webhook list\` shows them`)
}

export function addDeliveryCommands(group: Command, terminal: Terminal): void {
  addOneWebhook(
    group,
    terminal,
    'test',
    'send it a signed message now, from this machine or from --server, and show what it answers',
    sendTest,
  )

  addOneWebhook(
    group,
    terminal,
    'deliveries',
    'what was sent to it in the last 30 days, and what it answered',
    list,
    (command) =>
      command
        .addOption(new Option('--status <status>', 'in this state only').choices(['pending', 'delivered', 'failed']))
        .option('--limit <number>', 'how many at most', integer(1, 10_000), 20),
  )

  addOperatorCommand(group, 'retry [delivery]', 'send a message again, or now instead of later')
    .option('--delivery <id>', 'its id, from `wombat webhook deliveries`', id)
    .action((placed: string | undefined, options: ServerOptions & { delivery?: string }) => {
      const deliveryId = required(
        'delivery',
        placed === undefined ? undefined : checkId('delivery', placed),
        options.delivery,
      )
      return operate(terminal, 'webhook retry', options, (desk) => retry(desk, deliveryId))
    })
}

async function sendTest({ operations, stop }: OperatorDesk, webhookId: string): Promise<Outcome> {
  const tested = await operations.tryWebhook(webhookId, { signal: stop })
  if (tested === undefined) {
    throw noSuchWebhook(webhookId)
  }
  const { url, httpStatus, fault, tookMs } = tested
  if (httpStatus === null || httpStatus < 200 || httpStatus > 299) {
    throw new CliError(
      'failed',
      `${shorten(url, 100)} did not take the message: ${fault ?? `it answered ${httpStatus}`}`,
    )
  }
  return {
    json: { webhookId, url, httpStatus, tookMs },
    text: `${shorten(url, 100)} took the message: it answered ${httpStatus} after ${tookMs} ms.`,
  }
}

async function list(
  { operations }: OperatorDesk,
  webhookId: string,
  { status, limit = 20 }: Options,
): Promise<Outcome> {
  const page = await operations.listDeliveries({ webhookId, status, limit })
  if (page === undefined) {
    throw noSuchWebhook(webhookId)
  }
  const { items } = page
  return {
    json: { webhookId, deliveries: items },
    text: items.length === 0 ? 'Nothing was sent to it yet.' : table(TITLES, items.map(toRow), [5]),
  }
}

const TITLES = ['DELIVERY', 'CREATED', 'IMAGE', 'EVENT', 'STATUS', 'TRIES', 'NEXT TRY', 'LAST ANSWER']

function toRow(line: DeliveryLine): string[] {
  const { deliveryId, createdAt, imageId, event, status, tries, dueAt, lastStatus, lastError } = line
  const answer = lastError ?? (lastStatus === null ? '' : `answered ${lastStatus}`)
  return [
    deliveryId,
    time(createdAt),
    imageId,
    event,
    status,
    String(tries),
    dueAt === null ? '' : time(dueAt),
    shorten(answer, 60),
  ]
}

async function retry({ operations }: OperatorDesk, deliveryId: string): Promise<Outcome> {
  const delivery = await operations.retryDelivery(deliveryId)
  if (delivery === undefined) {
    throw new CliError(
      'not_found',
      `there is no delivery ${deliveryId}: \`wombat webhook deliveries WEBHOOK\` shows them`,
    )
  }
  if (delivery === 'disabled') {
    throw new CliError('refused', 'its webhook is disabled: `wombat webhook enable WEBHOOK` changes that')
  }
  return { json: delivery, text: 'A worker sends it now.' }
}
