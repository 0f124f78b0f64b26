import { WombatError } from '@wombat/client'
import { ADMIN } from '@wombat/contract'
import type { BadUrl, WebhookOperations } from '@wombat/engine'
import { CliError } from './errors.ts'
import { type Call, collect, orReason, orUndefined } from './server-call.ts'

const HOUR_SECONDS = 3_600

/** Webhooks, through the admin API of a distant server. */
export function ofWebhooks(call: Call): WebhookOperations {
  return {
    ...ofSettings(call),
    removeWebhook: async (webhookId) =>
      (await orUndefined(call(ADMIN.deleteWebhook, { params: { webhookId } }))) !== undefined,
    tryWebhook: (webhookId) => orUndefined(call(ADMIN.testWebhook, { params: { webhookId } })),
    listDeliveries: ({ limit, cursor, webhookId, status }) =>
      orUndefined(
        collect({ limit, cursor }, (page) =>
          call(ADMIN.listDeliveries, { params: { webhookId }, query: { ...page, status } }),
        ),
      ),
    async retryDelivery(deliveryId) {
      const outcome = await orReason(call(ADMIN.retryDelivery, { params: { deliveryId } }))
      return outcome !== undefined && 'reason' in outcome ? 'disabled' : outcome
    },
  }
}

function ofSettings(call: Call) {
  return {
    async openWebhook({ accountId, url }) {
      const outcome = await orBadUrl(orReason(call(ADMIN.createWebhook, { params: { accountId }, body: { url } })))
      if (outcome === undefined) {
        return { status: 'unknown account' }
      }
      if ('status' in outcome) {
        return outcome
      }
      return 'reason' in outcome
        ? { status: 'too many', most: outcome.most }
        : { status: 'created', webhookId: outcome.webhookId, secret: outcome.secret }
    },
    listWebhooks: ({ limit, cursor, accountId }) =>
      collect({ limit, cursor }, (page) => call(ADMIN.listWebhooks, { query: { ...page, accountId } })),
    showWebhook: (webhookId) => orUndefined(call(ADMIN.showWebhook, { params: { webhookId } })),
    async changeWebhook(webhookId, { url }) {
      const body = url === undefined ? {} : { url }
      const outcome = await orBadUrl(orUndefined(call(ADMIN.changeWebhook, { params: { webhookId }, body })))
      if (outcome === undefined || 'status' in outcome) {
        return outcome
      }
      return { status: 'changed', webhook: outcome }
    },
    setWebhookDisabled: async (webhookId, isDisabled) =>
      (await orUndefined(call(isDisabled ? ADMIN.disableWebhook : ADMIN.enableWebhook, { params: { webhookId } }))) !==
      undefined,
    async rotateSecret(webhookId, { overlapSeconds }) {
      const body = { overlapHours: overlapSeconds / HOUR_SECONDS }
      const outcome = await orReason(call(ADMIN.rotateSecret, { params: { webhookId }, body }))
      if (outcome === undefined) {
        return undefined
      }
      return 'reason' in outcome
        ? { status: 'too many', most: outcome.most }
        : { status: 'changed', secret: outcome.secret, overlapUntil: outcome.overlapUntil }
    },
  } satisfies Partial<WebhookOperations>
}

/** The server says why it sends nothing there. */
async function orBadUrl<T>(answer: Promise<T>): Promise<T | BadUrl> {
  try {
    return await answer
  } catch (error) {
    const cause = error instanceof CliError ? error.cause : undefined
    const details = cause instanceof WombatError && cause.code === 'invalid_request' ? cause.details : undefined
    if (details?.field === 'url') {
      return { status: 'bad url', why: String(details.why ?? details.expected) }
    }
    throw error
  }
}
