import type { DeliveryLine, Webhook } from '@wombat/engine'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { checkId, id, integer, noSuchAccount, required, takeAccount } from './arguments.ts'
import { addDatabaseCommand, addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { shorten, table, time } from './format.ts'
import { type Desk, onDatabase } from './on-database.ts'
import type { Outcome, Terminal } from './terminal.ts'

interface ByWebhook {
  readonly webhook?: string
}

interface DeliveriesOptions extends ByWebhook {
  readonly status?: string
  readonly limit: number
}

export function addWebhookCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'webhook', 'where an account is told that its images are done')

  addDatabaseCommand(group, 'create [account]', 'tell an address of every image that is finished or failed')
    .option('--account <id>', 'whose images', id)
    .requiredOption('--url <url>', 'where to POST to', webUrl)
    .action((placed: string | undefined, options: { account?: string; url: string }) => {
      const accountId = takeAccount(placed, options)
      return onDatabase(terminal, 'webhook create', (desk) => create(desk, accountId, options.url))
    })

  addDatabaseCommand(group, 'list', 'all webhooks')
    .option('--account <id>', 'of this account only', id)
    .option('--limit <number>', 'how many at most', integer(1, 10_000), 1000)
    .action((options: { account?: string; limit: number }) =>
      onDatabase(terminal, 'webhook list', (desk) => list(desk, options)),
    )

  addDatabaseCommand(group, 'delete [webhook]', 'tell it nothing any more, of what waits neither')
    .option('--webhook <id>', 'its id, from `wombat webhook list`', id)
    .action((placed: string | undefined, options: ByWebhook) => {
      const webhookId = takeWebhook(placed, options)
      return onDatabase(terminal, 'webhook delete', (desk) => remove(desk, webhookId))
    })

  addDatabaseCommand(
    group,
    'test [webhook]',
    'send it a signed message now, from this machine, and show what it answers',
  )
    .option('--webhook <id>', 'its id, from `wombat webhook list`', id)
    .action((placed: string | undefined, options: ByWebhook) => {
      const webhookId = takeWebhook(placed, options)
      return onDatabase(terminal, 'webhook test', (desk) => sendTest(desk, webhookId))
    })

  addDatabaseCommand(group, 'deliveries [webhook]', 'what was sent to it in the last 30 days, and what it answered')
    .option('--webhook <id>', 'its id, from `wombat webhook list`', id)
    .addOption(new Option('--status <status>', 'in this state only').choices(['pending', 'delivered', 'failed']))
    .option('--limit <number>', 'how many at most', integer(1, 10_000), 20)
    .action((placed: string | undefined, options: DeliveriesOptions) => {
      const webhookId = takeWebhook(placed, options)
      return onDatabase(terminal, 'webhook deliveries', (desk) => deliveries(desk, webhookId, options))
    })
}

function webUrl(text: string): string {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || text.length > 2048) {
    throw new InvalidArgumentError('It takes an https or http URL such as https://shop.example.com/hooks/images.')
  }
  return url.href
}

function takeWebhook(placed: string | undefined, options: ByWebhook): string {
  return required('webhook', placed === undefined ? undefined : checkId('webhook', placed), options.webhook)
}

function noSuchWebhook(webhookId: string): CliError {
  return new CliError('not_found', `there is no webhook ${webhookId}: \`wombat webhook list\` shows them`)
}

async function create({ operations, settings }: Desk, accountId: string, url: string): Promise<Outcome> {
  const allowHosts = settings.config.WEBHOOK_ALLOW_HOSTS
  const outcome = await operations.openWebhook({ accountId, url, allowHosts })
  switch (outcome.status) {
    case 'created': {
      const { webhookId, secret } = outcome
      return {
        json: { webhookId, accountId, url, secret },
        text: [
          `webhook  ${webhookId}`,
          `secret   ${secret}   (keep it: it is shown only now)`,
          '',
          `\`wombat webhook test ${webhookId}\` sends it a first message; docs/webhooks.md shows how to check signatures.`,
        ].join('\n'),
      }
    }
    case 'bad url':
      throw new CliError(
        'usage',
        `nothing may be sent to this URL: ${outcome.why}. WEBHOOK_ALLOW_HOSTS names hosts for which that does not matter`,
      )
    case 'too many':
      throw new CliError('refused', `the account ${accountId} has ${outcome.most} webhooks, and more are not allowed`)
    case 'unknown account':
      throw noSuchAccount(accountId)
  }
}

async function list({ db, engine }: Desk, options: { account?: string; limit: number }): Promise<Outcome> {
  const webhooks = await engine.listWebhooks(db, { accountId: options.account, limit: options.limit })
  const rows = webhooks.map((webhook) => [
    webhook.webhookId,
    webhook.accountId,
    stateOf(webhook),
    time(webhook.createdAt),
    shorten(webhook.url, 80),
  ])
  return {
    json: { webhooks: webhooks.map((webhook) => ({ ...webhook, state: stateOf(webhook) })) },
    text:
      webhooks.length === 0
        ? 'There is no webhook. `wombat webhook create --account ID --url URL` makes one.'
        : table(['WEBHOOK', 'ACCOUNT', 'STATE', 'CREATED', 'URL'], rows),
  }
}

function stateOf({ disabledAt }: Webhook): 'active' | 'disabled' {
  return disabledAt === null ? 'active' : 'disabled'
}

async function remove({ operations }: Desk, webhookId: string): Promise<Outcome> {
  if (!(await operations.removeWebhook(webhookId))) {
    throw noSuchWebhook(webhookId)
  }
  return { json: { webhookId, deleted: true }, text: `The webhook ${webhookId} is deleted.` }
}

async function sendTest({ db, engine, settings, stop }: Desk, webhookId: string): Promise<Outcome> {
  const { WEBHOOK_ALLOW_HOSTS: allowHosts, PUBLIC_URL, PORT } = settings.config
  const publicUrl = PUBLIC_URL ?? `http://127.0.0.1:${PORT}`
  const tested = await engine.tryWebhook(db, webhookId, { allowHosts, publicUrl, signal: stop })
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

async function deliveries(
  { db, engine }: Desk,
  webhookId: string,
  { status, limit }: DeliveriesOptions,
): Promise<Outcome> {
  const lines = await engine.listDeliveries(db, { webhookId, status, limit })
  if (lines === undefined) {
    throw noSuchWebhook(webhookId)
  }
  return {
    json: { webhookId, deliveries: lines },
    text: lines.length === 0 ? 'Nothing was sent to it yet.' : table(TITLES, lines.map(toRow), [4]),
  }
}

const TITLES = ['CREATED', 'IMAGE', 'EVENT', 'STATUS', 'TRIES', 'NEXT TRY', 'LAST ANSWER']

function toRow(line: DeliveryLine): string[] {
  const { createdAt, imageId, event, status, tries, dueAt, lastStatus, lastError } = line
  const answer = lastError ?? (lastStatus === null ? '' : `answered ${lastStatus}`)
  return [
    time(createdAt),
    imageId,
    event,
    status,
    String(tries),
    dueAt === null ? '' : time(dueAt),
    shorten(answer, 60),
  ]
}
