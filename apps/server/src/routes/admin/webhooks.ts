import { ADMIN, ApiError } from '@wombat/contract'
import type { FastifyInstance } from 'fastify'
import { type AdminParts, conflict, found, notFound, serve } from './serve.ts'

const HOUR_SECONDS = 3_600

export function registerWebhooks(app: FastifyInstance, parts: AdminParts): void {
  registerSettings(app, parts)

  serve(app, parts, ADMIN.deleteWebhook, async ({ params: { webhookId }, operations }) => {
    if (!(await operations.removeWebhook(webhookId))) {
      throw notFound('webhook', webhookId)
    }
    return { webhookId, deleted: true as const }
  })

  serve(app, parts, ADMIN.testWebhook, async ({ params: { webhookId }, operations, gone }) =>
    found(await operations.tryWebhook(webhookId, { signal: gone }), 'webhook', webhookId),
  )

  serve(app, parts, ADMIN.listDeliveries, async ({ params: { webhookId }, query, operations }) =>
    found(await operations.listDeliveries({ webhookId, ...query }), 'webhook', webhookId),
  )

  serve(app, parts, ADMIN.retryDelivery, async ({ params: { deliveryId }, operations }) => {
    const outcome = found(await operations.retryDelivery(deliveryId), 'delivery', deliveryId)
    if (outcome === 'disabled') {
      throw conflict('Its webhook is disabled: enable it first.', { reason: outcome })
    }
    return outcome
  })
}

function registerSettings(app: FastifyInstance, parts: AdminParts): void {
  serve(app, parts, ADMIN.listWebhooks, ({ query, operations }) => operations.listWebhooks(query))

  serve(app, parts, ADMIN.createWebhook, async ({ params: { accountId }, body: { url }, operations }) => {
    const outcome = await operations.openWebhook({ accountId, url })
    switch (outcome.status) {
      case 'created':
        return { webhookId: outcome.webhookId, accountId, url, secret: outcome.secret }
      case 'bad url':
        throw badUrl(outcome.why)
      case 'too many':
        throw conflict(`The account has ${outcome.most} webhooks, and more are not allowed.`, {
          reason: outcome.status,
          most: outcome.most,
        })
      case 'unknown account':
        throw notFound('account', accountId)
    }
  })

  serve(app, parts, ADMIN.showWebhook, async ({ params: { webhookId }, operations }) =>
    found(await operations.showWebhook(webhookId), 'webhook', webhookId),
  )

  serve(app, parts, ADMIN.changeWebhook, async ({ params: { webhookId }, body, operations }) => {
    const outcome = found(await operations.changeWebhook(webhookId, body), 'webhook', webhookId)
    if (outcome.status === 'bad url') {
      throw badUrl(outcome.why)
    }
    return outcome.webhook
  })

  for (const isDisabled of [true, false]) {
    const operation = isDisabled ? ADMIN.disableWebhook : ADMIN.enableWebhook
    serve(app, parts, operation, async ({ params: { webhookId }, operations }) => {
      await operations.setWebhookDisabled(webhookId, isDisabled)
      return found(await operations.showWebhook(webhookId), 'webhook', webhookId)
    })
  }

  serve(app, parts, ADMIN.rotateSecret, async ({ params: { webhookId }, body, operations }) => {
    const overlapSeconds = body.overlapHours * HOUR_SECONDS
    const outcome = found(await operations.rotateSecret(webhookId, { overlapSeconds }), 'webhook', webhookId)
    if (outcome.status === 'too many') {
      throw conflict(`${outcome.most} former secrets sign still. With overlapHours 0 none of them does any more.`, {
        reason: outcome.status,
        most: outcome.most,
      })
    }
    return { webhookId, secret: outcome.secret, overlapUntil: outcome.overlapUntil }
  })
}

function badUrl(why: string): ApiError {
  const expected = 'an address that messages may be sent to'
  return new ApiError('invalid_request', `url must be ${expected}: ${why}.`, {
    details: { field: 'url', expected, why },
  })
}
