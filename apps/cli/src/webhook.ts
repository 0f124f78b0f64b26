import type { Webhook } from '@wombat/engine'
import type { Command } from 'commander'
import { id, integer, noSuchAccount, takeAccount, webUrl } from './arguments.ts'
import { addGroup } from './command.ts'
import { CliError } from './errors.ts'
import { sheet, shorten, table, time } from './format.ts'
import { addOperatorCommand, type OperatorDesk, operate, type ServerOptions } from './operate.ts'
import type { Outcome, Terminal } from './terminal.ts'
import { addDeliveryCommands, addOneWebhook, noSuchWebhook } from './webhook-deliveries.ts'

interface AccountOptions extends ServerOptions {
  readonly account?: string
}

const HOUR_SECONDS = 3_600
const MOST_OVERLAP_HOURS = 720

export function addWebhookCommands(program: Command, terminal: Terminal): void {
  const group = addGroup(program, 'webhook', 'where an account is told that its images are done')

  addOperatorCommand(group, 'create [account]', 'tell an address of every image that is finished or failed')
    .option('--account <id>', 'whose images', id)
    .requiredOption('--url <url>', 'where to POST to', webUrl)
    .action((placed: string | undefined, options: AccountOptions & { url: string }) => {
      const accountId = takeAccount(placed, options)
      return operate(terminal, 'webhook create', options, (desk) => create(desk, accountId, options.url))
    })

  addOperatorCommand(group, 'list', 'the newest webhooks')
    .option('--account <id>', 'of this account only', id)
    .option('--limit <number>', 'how many at most', integer(1, 10_000), 1000)
    .action((options: AccountOptions & { limit: number }) =>
      operate(terminal, 'webhook list', options, (desk) => list(desk, options)),
    )

  addOneWebhook(group, terminal, 'show', 'one webhook', show)
  addOneWebhook(group, terminal, 'set', 'send its messages elsewhere, those that wait, too', set, (command) =>
    command.requiredOption('--url <url>', 'where to POST to', webUrl),
  )
  addOneWebhook(group, terminal, 'disable', 'send it nothing, and give up what waits for it', (desk, webhookId) =>
    turn(desk, webhookId, true),
  )
  addOneWebhook(group, terminal, 'enable', 'tell it of images again, from now on', (desk, webhookId) =>
    turn(desk, webhookId, false),
  )
  addOneWebhook(group, terminal, 'rotate', 'give it a new secret, which is shown this once', rotate, (command) =>
    command.option(
      '--overlap-hours <number>',
      'how long the former secret signs as well; 0: not at all',
      integer(0, MOST_OVERLAP_HOURS),
      24,
    ),
  )
  addOneWebhook(group, terminal, 'delete', 'tell it nothing any more, of what waits neither', remove)
  addDeliveryCommands(group, terminal)
}

async function create({ operations }: OperatorDesk, accountId: string, url: string): Promise<Outcome> {
  const outcome = await operations.openWebhook({ accountId, url })
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
      throw badUrl(outcome.why)
    case 'too many':
      throw new CliError('refused', `the account ${accountId} has ${outcome.most} webhooks, and more are not allowed`)
    case 'unknown account':
      throw noSuchAccount(accountId)
  }
}

function badUrl(why: string): CliError {
  return new CliError(
    'usage',
    `nothing may be sent to this URL: ${why}. WEBHOOK_ALLOW_HOSTS names hosts for which that does not matter`,
  )
}

async function list({ operations }: OperatorDesk, options: { account?: string; limit: number }): Promise<Outcome> {
  const { account, limit } = options
  const { items } = await operations.listWebhooks({ accountId: account, limit })
  return {
    json: { webhooks: items.map(toJson) },
    text:
      items.length === 0
        ? 'There is no webhook. `wombat webhook create --account ID --url URL` makes one.'
        : table(
            ['WEBHOOK', 'ACCOUNT', 'STATE', 'CREATED', 'URL'],
            items.map((webhook) => [
              webhook.webhookId,
              webhook.accountId,
              stateOf(webhook),
              time(webhook.createdAt),
              shorten(webhook.url, 80),
            ]),
          ),
  }
}

function stateOf({ disabledAt }: Webhook): 'active' | 'disabled' {
  return disabledAt === null ? 'active' : 'disabled'
}

function toJson(webhook: Webhook) {
  return { ...webhook, state: stateOf(webhook) }
}

function describe(webhook: Webhook): Outcome {
  const { webhookId, accountId, url, createdAt, disabledAt, overlapUntil } = webhook
  return {
    json: toJson(webhook),
    text: sheet([
      ['webhook', webhookId],
      ['account', accountId],
      ['url', url],
      ['state', disabledAt === null ? 'active' : `disabled since ${time(disabledAt)}`],
      ['created', time(createdAt)],
      ['overlap', overlapUntil === null ? undefined : `until ${time(overlapUntil)} a former secret signs as well`],
    ]),
  }
}

async function show({ operations }: OperatorDesk, webhookId: string): Promise<Outcome> {
  const webhook = await operations.showWebhook(webhookId)
  if (webhook === undefined) {
    throw noSuchWebhook(webhookId)
  }
  return describe(webhook)
}

async function set({ operations }: OperatorDesk, webhookId: string, options: { url?: string }): Promise<Outcome> {
  const outcome = await operations.changeWebhook(webhookId, { url: options.url })
  if (outcome === undefined) {
    throw noSuchWebhook(webhookId)
  }
  if (outcome.status === 'bad url') {
    throw badUrl(outcome.why)
  }
  return describe(outcome.webhook)
}

async function turn(desk: OperatorDesk, webhookId: string, isDisabled: boolean): Promise<Outcome> {
  if (!(await desk.operations.setWebhookDisabled(webhookId, isDisabled))) {
    throw noSuchWebhook(webhookId)
  }
  return await show(desk, webhookId)
}

async function rotate(
  { operations }: OperatorDesk,
  webhookId: string,
  { overlapHours = 0 }: { overlapHours?: number },
): Promise<Outcome> {
  const outcome = await operations.rotateSecret(webhookId, { overlapSeconds: overlapHours * HOUR_SECONDS })
  if (outcome === undefined) {
    throw noSuchWebhook(webhookId)
  }
  if (outcome.status === 'too many') {
    throw new CliError(
      'refused',
      `${outcome.most} former secrets of it sign still: wait, or say --overlap-hours 0, after which none of them does`,
    )
  }
  const { secret, overlapUntil } = outcome
  return {
    json: { webhookId, secret, overlapUntil },
    text: sheet([
      ['webhook', webhookId],
      ['secret', `${secret}   (keep it: it is shown only now)`],
      ['overlap', overlapUntil === null ? undefined : `until ${time(overlapUntil)} the former secret signs as well`],
    ]),
  }
}

async function remove({ operations }: OperatorDesk, webhookId: string): Promise<Outcome> {
  if (!(await operations.removeWebhook(webhookId))) {
    throw noSuchWebhook(webhookId)
  }
  return { json: { webhookId, deleted: true }, text: `The webhook ${webhookId} is deleted.` }
}
