import { createHmac } from 'node:crypto'
import type { ErrorCode } from '@wombat/contract'
import type { ClaimedDelivery } from '@wombat/images'
import { imageUrl } from './request.ts'
import { toErrorCode } from './status.ts'

/** What a webhook gets: the same keys for every image. */
export interface WebhookMessage {
  readonly type: 'image.finished' | 'image.failed' | 'webhook.test'
  /** When it happened, whenever it is sent. */
  readonly timestamp: string
  readonly data: WebhookData
}

export interface WebhookData {
  readonly id: string
  readonly url: string
  readonly status: 'finished' | 'failed'
  readonly alt: string
  readonly model: string
  readonly width: number
  readonly height: number
  readonly contentType: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly refunded: true } | null
}

/** A message about an image as it is now: what was erased meanwhile is not told any more. */
export function toMessage(engine: { readonly publicUrl: string }, delivery: ClaimedDelivery): WebhookMessage {
  const isFinished = delivery.event === 'image.finished'
  return {
    type: delivery.event,
    timestamp: delivery.createdAt.toISOString(),
    data: {
      id: delivery.imageId,
      url: imageUrl(engine, delivery.imageId),
      status: isFinished ? 'finished' : 'failed',
      alt: delivery.alt,
      model: delivery.model,
      width: delivery.width,
      height: delivery.height,
      contentType: delivery.contentType,
      tags: delivery.tags ?? {},
      error: isFinished
        ? null
        : { code: toErrorCode(delivery.failureCode ?? ''), message: delivery.failureMessage ?? '', refunded: true },
    },
  }
}

/** One that tells of no image, to try an address with. */
export function testMessage(engine: { readonly publicUrl: string }): WebhookMessage {
  const id = 'v2-000000000-000000000'
  return {
    type: 'webhook.test',
    timestamp: new Date().toISOString(),
    data: {
      id,
      url: imageUrl(engine, id),
      status: 'finished',
      alt: 'A test of this webhook',
      model: 'gpt-image-2',
      width: 1024,
      height: 1024,
      contentType: 'image/jpeg',
      tags: {},
      error: null,
    },
  }
}

/** The name of a message: the same at each try, so that who gets it twice can tell. */
export function messageId(deliveryId: string): string {
  return `msg_${deliveryId.replaceAll('-', '')}`
}

/**
 * The headers of a message by Standard Webhooks (https://www.standardwebhooks.com): its id, the second of this try, and
 * the HMAC-SHA256 of id, second and body with dots between them, with each of the secrets.
 */
export function signMessage(secrets: readonly string[], message: { id: string; atMs: number; body: string }) {
  const second = Math.floor(message.atMs / 1000)
  const signed = `${message.id}.${second}.${message.body}`
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  })
  return {
    'content-type': 'application/json',
    'user-agent': 'Wombat (webhooks)',
    'webhook-id': message.id,
    'webhook-timestamp': String(second),
    'webhook-signature': signatures.join(' '),
  }
}
