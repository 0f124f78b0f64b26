import {
  createWebhook,
  deleteWebhook as deleteRow,
  findAccount,
  findWebhook,
  listWebhooks as listRows,
  MOST_WEBHOOKS,
  type Webhook,
} from '@wombat/accounts'
import type { Database } from '@wombat/database'
import { createPoster, ProviderError } from '@wombat/generation'
import { type DeliveryLine, listDeliveries as listLines } from '@wombat/images'
import { messageId, signMessage, testMessage } from './webhook-message.ts'

/* Webhooks as an operator handles them. */

export type { Webhook } from '@wombat/accounts'
export type { DeliveryLine } from '@wombat/images'

export type WebhookOutcome =
  | { readonly status: 'created'; readonly webhookId: string; readonly secret: string }
  | { readonly status: 'bad url'; readonly why: string }
  | { readonly status: 'too many'; readonly most: number }
  | { readonly status: 'unknown account' }

/** `allowHosts`: WEBHOOK_ALLOW_HOSTS. The secret is in the answer and is not shown again. */
export async function openWebhook(
  db: Database,
  wish: { accountId: string; url: string; allowHosts: readonly string[] },
): Promise<WebhookOutcome> {
  const { accountId, url, allowHosts } = wish
  const why = createPoster(allowHosts).findFault(url)
  if (why !== undefined) {
    return { status: 'bad url', why }
  }
  if ((await findAccount(db, accountId)) === undefined) {
    return { status: 'unknown account' }
  }
  const made = await createWebhook(db, { accountId, url })
  return made === undefined ? { status: 'too many', most: MOST_WEBHOOKS } : { status: 'created', ...made }
}

export async function listWebhooks(
  db: Database,
  filter: { accountId: string | undefined; limit: number },
): Promise<Webhook[]> {
  return await listRows(db, filter)
}

/** What waits for it is never sent. False: there is no such webhook. */
export async function removeWebhook(db: Database, webhookId: string): Promise<boolean> {
  return await deleteRow(db, webhookId)
}

export interface WebhookTest {
  readonly webhookId: string
  readonly url: string
  /** Of the answer; null when there was none. */
  readonly httpStatus: number | null
  /** Why there was none. */
  readonly fault: string | null
  readonly tookMs: number
}

/** Sends a signed message of the type webhook.test, once. Undefined: there is no such webhook. */
export async function tryWebhook(
  db: Database,
  webhookId: string,
  options: { allowHosts: readonly string[]; publicUrl: string; signal: AbortSignal },
): Promise<WebhookTest | undefined> {
  const webhook = await findWebhook(db, webhookId)
  if (webhook === undefined) {
    return undefined
  }
  const { url, secret } = webhook
  const body = JSON.stringify(testMessage(options))
  const headers = signMessage(secret, { id: messageId(crypto.randomUUID()), atMs: Date.now(), body })
  const beginMs = performance.now()
  const end = (httpStatus: number | null, fault: string | null): WebhookTest => {
    return { webhookId, url, httpStatus, fault, tookMs: Math.round(performance.now() - beginMs) }
  }
  try {
    const { status } = await createPoster(options.allowHosts).post(url, { headers, body, signal: options.signal })
    return end(status, null)
  } catch (error) {
    if (error instanceof ProviderError) {
      return end(null, error.message)
    }
    throw error
  }
}

/** The messages of a webhook, newest first. Undefined: there is no such webhook. */
export async function listDeliveries(
  db: Database,
  filter: { webhookId: string; status?: string | undefined; limit: number },
): Promise<DeliveryLine[] | undefined> {
  return (await findWebhook(db, filter.webhookId)) === undefined ? undefined : await listLines(db, filter)
}
