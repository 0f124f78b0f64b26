import {
  changeSecret,
  createWebhook,
  deleteWebhook,
  findAccount,
  findSecrets,
  findWebhook,
  listWebhooks,
  MOST_FORMER_SECRETS,
  MOST_WEBHOOKS,
  moveWebhook,
  setWebhookDisabled,
  type Webhook,
} from '@wombat/accounts'
import type { Database } from '@wombat/database'
import { createPoster, ProviderError } from '@wombat/generation'
import { type DeliveryLine, findDelivery, giveUpDeliveries, listDeliveries, retryDelivery } from '@wombat/images'
import type { OperatorDesk } from './operator-desk.ts'
import { type Page, type PageWish, readPosition, takePage, writePosition } from './pages.ts'
import { messageId, signMessage, testMessage } from './webhook-message.ts'
import { LEASE_SECONDS } from './webhooks.ts'

/* Webhooks as an operator handles them. */

export type { Webhook } from '@wombat/accounts'
export type { DeliveryLine } from '@wombat/images'

export interface BadUrl {
  readonly status: 'bad url'
  readonly why: string
}

export type WebhookOutcome =
  | { readonly status: 'created'; readonly webhookId: string; readonly secret: string }
  | BadUrl
  | { readonly status: 'too many'; readonly most: number }
  | { readonly status: 'unknown account' }

export type WebhookChange = { readonly status: 'changed'; readonly webhook: Webhook } | BadUrl

export type SecretOutcome =
  /** `overlapUntil`: how long messages carry a signature with a former secret as well; null: none do. */
  | { readonly status: 'changed'; readonly secret: string; readonly overlapUntil: Date | null }
  | { readonly status: 'too many'; readonly most: number }

export interface WebhookTest {
  readonly webhookId: string
  readonly url: string
  /** Of the answer; null when there was none. */
  readonly httpStatus: number | null
  /** Why there was none. */
  readonly fault: string | null
  readonly tookMs: number
}

export interface DeliveryListWish extends PageWish {
  readonly webhookId: string
  readonly status?: string | undefined
}

/** Undefined and false: there is no such webhook, or no such message of one. */
export interface WebhookOperations {
  /** The secret is in the answer and is not shown again. */
  openWebhook(wish: { accountId: string; url: string }): Promise<WebhookOutcome>
  listWebhooks(wish: PageWish & { accountId?: string | undefined }): Promise<Page<Webhook>>
  showWebhook(webhookId: string): Promise<Webhook | undefined>
  /** What waits for it goes to the new URL. */
  changeWebhook(webhookId: string, change: { url?: string | undefined }): Promise<WebhookChange | undefined>
  /** One that is disabled is sent nothing: what waits for it is given up. */
  setWebhookDisabled(webhookId: string, isDisabled: boolean): Promise<boolean>
  /** The former secret signs beside the new one for so long; with 0 only the new one does, whatever was said before. */
  rotateSecret(webhookId: string, options: { overlapSeconds: number }): Promise<SecretOutcome | undefined>
  /** What waits for it is never sent. */
  removeWebhook(webhookId: string): Promise<boolean>
  /** Sends a signed message of the type webhook.test, once. */
  tryWebhook(webhookId: string, options: { signal: AbortSignal }): Promise<WebhookTest | undefined>
  listDeliveries(wish: DeliveryListWish): Promise<Page<DeliveryLine> | undefined>
  /** Has a message sent now, whatever became of it. One that is due within a minute stays as it is. */
  retryDelivery(deliveryId: string): Promise<DeliveryLine | undefined | 'disabled'>
}

export function ofWebhooks(desk: OperatorDesk): WebhookOperations {
  const { db, change } = desk
  return {
    ...ofSettings(desk),
    removeWebhook: (webhookId) =>
      change(
        (tx) => deleteWebhook(tx, webhookId),
        (isDone) => (isDone ? { action: 'webhook.delete', subject: webhookId } : undefined),
      ),
    tryWebhook: (webhookId, options) => tryWebhook(desk, webhookId, options),
    async listDeliveries({ limit, cursor, ...filter }) {
      if ((await findWebhook(db, filter.webhookId)) === undefined) {
        return undefined
      }
      return await takePage(
        limit,
        (most) => listDeliveries(db, { ...filter, limit: most, after: readPosition(cursor) }),
        ({ createdAt, deliveryId }) => writePosition({ at: createdAt, id: deliveryId }),
      )
    },
    async retryDelivery(deliveryId) {
      const isNew = await change(
        (tx) => retryDelivery(tx, deliveryId, { leaseSeconds: LEASE_SECONDS }),
        (isDone) => (isDone ? { action: 'delivery.retry', subject: deliveryId } : undefined),
      )
      const found = await findDelivery(db, deliveryId)
      return found?.isDisabled === true && !isNew ? 'disabled' : found?.delivery
    },
  }
}

function ofSettings({ db, config, change }: OperatorDesk) {
  const findFault = (url: string): BadUrl | undefined => {
    const why = createPoster(config.WEBHOOK_ALLOW_HOSTS).findFault(url)
    return why === undefined ? undefined : { status: 'bad url', why }
  }
  return {
    openWebhook: async (wish) =>
      findFault(wish.url) ??
      (await change(
        (tx) => openWebhook(tx, wish),
        (outcome) =>
          outcome.status === 'created'
            ? { action: 'webhook.create', subject: outcome.webhookId, details: { ...wish } }
            : undefined,
      )),
    listWebhooks: ({ limit, cursor, accountId }) =>
      takePage(
        limit,
        (most) => listWebhooks(db, { accountId, limit: most, after: readPosition(cursor) }),
        ({ createdAt, webhookId }) => writePosition({ at: createdAt, id: webhookId }),
      ),
    showWebhook: (webhookId) => findWebhook(db, webhookId),
    async changeWebhook(webhookId, { url }) {
      const fault = url === undefined ? undefined : findFault(url)
      if (url !== undefined && fault === undefined) {
        await change(
          (tx) => moveWebhook(tx, webhookId, url),
          (isDone) => (isDone ? { action: 'webhook.change', subject: webhookId, details: { url } } : undefined),
        )
      }
      const webhook = await findWebhook(db, webhookId)
      return webhook && (fault ?? { status: 'changed', webhook })
    },
    async setWebhookDisabled(webhookId, isDisabled) {
      const isNew = await change(
        (tx) => setWebhookDisabled(tx, webhookId, isDisabled),
        (isDone) =>
          isDone ? { action: isDisabled ? 'webhook.disable' : 'webhook.enable', subject: webhookId } : undefined,
      )
      if (isNew && isDisabled) {
        // The rest of very many is for the housekeeping.
        await giveUpDeliveries(db, BATCH)
      }
      return isNew || (await findWebhook(db, webhookId)) !== undefined
    },
    async rotateSecret(webhookId, options) {
      const { overlapSeconds } = options
      const outcome = await change(
        (tx) => changeSecret(tx, webhookId, options),
        ({ status }) =>
          status === 'changed'
            ? { action: 'webhook.rotate', subject: webhookId, details: { overlapSeconds } }
            : undefined,
      )
      switch (outcome.status) {
        case 'changed': {
          const overlapUntil = (await findWebhook(db, webhookId))?.overlapUntil ?? null
          return { ...outcome, overlapUntil }
        }
        case 'too many':
          return { status: 'too many', most: MOST_FORMER_SECRETS }
        case 'unknown webhook':
          return undefined
      }
    },
  } satisfies Partial<WebhookOperations>
}

const BATCH = 1_000

async function openWebhook(tx: Database, wish: { accountId: string; url: string }): Promise<WebhookOutcome> {
  if ((await findAccount(tx, wish.accountId)) === undefined) {
    return { status: 'unknown account' }
  }
  const made = await createWebhook(tx, wish)
  return made === undefined ? { status: 'too many', most: MOST_WEBHOOKS } : { status: 'created', ...made }
}

async function tryWebhook(
  { db, config, publicUrl }: OperatorDesk,
  webhookId: string,
  { signal }: { signal: AbortSignal },
): Promise<WebhookTest | undefined> {
  const webhook = await findWebhook(db, webhookId)
  if (webhook === undefined) {
    return undefined
  }
  const { url } = webhook
  const body = JSON.stringify(testMessage({ publicUrl }))
  const secrets = await findSecrets(db, webhookId)
  const headers = signMessage(secrets, { id: messageId(crypto.randomUUID()), atMs: Date.now(), body })
  const beginMs = performance.now()
  const end = (httpStatus: number | null, fault: string | null): WebhookTest => {
    return { webhookId, url, httpStatus, fault, tookMs: Math.round(performance.now() - beginMs) }
  }
  try {
    const { status } = await createPoster(config.WEBHOOK_ALLOW_HOSTS).post(url, { headers, body, signal })
    return end(status, null)
  } catch (error) {
    if (error instanceof ProviderError) {
      return end(null, error.message)
    }
    throw error
  }
}
