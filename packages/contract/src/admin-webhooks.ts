import { z } from 'zod'
import { count, id, oneOf, PAGE, time } from './admin.ts'

/* Webhooks in the admin API. */

const address = z
  .string()
  .trim()
  .max(2048)
  .refine(
    (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''),
    'must be an https or http URL such as https://shop.example.com/hooks/images',
  )
  .meta({ format: 'uri' })
  .describe('http or https, at a public address, ports 80 and 443, unless WEBHOOK_ALLOW_HOSTS has its host.')

const shown = z.string().describe('Shown only here.')

export const webhookParams = z.strictObject({ webhookId: id })
export const deliveryParams = z.strictObject({ deliveryId: id })

export const webhookListQuery = z.strictObject({ ...PAGE, accountId: id.optional() })

export const webhookSchema = z
  .object({
    webhookId: id,
    accountId: id,
    url: z.string(),
    createdAt: time,
    disabledAt: time.nullable().describe('Since when it is sent nothing; null: it is told of every image.'),
    overlapUntil: time.nullable().describe('Until then messages are signed with a former secret as well; null: no.'),
  })
  .meta({ id: 'Webhook' })

export const webhookWishSchema = z.strictObject({ url: address })

export const newWebhookSchema = z.object({ webhookId: id, accountId: id, url: z.string(), secret: shown })

export const webhookChangeSchema = z.strictObject({ url: address.exactOptional() })

export const MOST_OVERLAP_HOURS = 720

export const rotationSchema = z.strictObject({
  overlapHours: z
    .number()
    .min(0)
    .max(MOST_OVERLAP_HOURS)
    .default(24)
    .describe('How long the former secret signs as well. 0: from now on only the new one does.'),
})

export const rotatedSchema = z.object({ webhookId: id, secret: shown, overlapUntil: time.nullable() })

export const deletedWebhookSchema = z.object({ webhookId: id, deleted: z.literal(true) })

export const webhookTestSchema = z.object({
  webhookId: id,
  url: z.string(),
  httpStatus: count.nullable().describe('Of its answer; null: there was none.'),
  fault: z.string().nullable().describe('Why there was none.'),
  tookMs: count,
})

export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const

export const deliveryListQuery = z.strictObject({ ...PAGE, status: oneOf(DELIVERY_STATES).optional() })

export const deliverySchema = z
  .object({
    deliveryId: id,
    webhookId: id,
    imageId: z.string(),
    event: z.string().describe('image.finished or image.failed.'),
    status: z.enum(DELIVERY_STATES),
    tries: count,
    dueAt: time.nullable().describe('When it is sent next, while it is pending.'),
    lastStatus: count.nullable().describe('Of the last answer; null: there was none.'),
    lastError: z.string().nullable(),
    createdAt: time,
    deliveredAt: time.nullable(),
  })
  .meta({ id: 'Delivery' })
