import { z } from 'zod'
import { count, id, modelId, oneOf, PAGE, since, sum, time, until } from './admin.ts'

/* Images, usage and routes in the admin API. */

export const IMAGE_STATES = ['queued', 'generating', 'ready', 'failed', 'removed'] as const

const ROUTE_STATES = ['unused', 'in_use', 'paused', 'down', 'parked'] as const

export const imageListQuery = z.strictObject({
  ...PAGE,
  accountId: id.optional(),
  status: oneOf(IMAGE_STATES).optional(),
  model: modelId.optional(),
  since,
  until,
})

export const imageLineSchema = z
  .object({
    imageId: z.string(),
    accountId: id,
    status: z.string(),
    model: z.string(),
    quality: z.string(),
    width: count,
    height: count,
    prompt: z.string().describe('Empty when it was erased.'),
    createdAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Image' })

export const attemptSchema = z
  .object({
    route: z.string().nullable(),
    provider: z.string(),
    isPaid: z.boolean(),
    startedAt: time,
    finishedAt: time.nullable(),
    outcome: z.string().nullable().describe('done, not_sent, refused or unknown; null while it is under way.'),
    failure: z.string().nullable(),
    message: z.string().nullable(),
    upstreamId: z.string().nullable(),
    latencyMs: count.nullable(),
    costMicroUsd: sum.nullable().describe('Millionths of a US dollar.'),
  })
  .meta({ id: 'Attempt' })

export const imageReportSchema = imageLineSchema
  .extend({
    requestId: id,
    style: z.string(),
    finalPrompt: z.string().nullable(),
    alt: z.string(),
    tags: z.record(z.string(), z.string()).describe('What X-Wombat-Tags said.'),
    provider: z.string().nullable(),
    contentType: z.string().nullable(),
    sizeBytes: count.nullable(),
    objectKey: z.string().nullable(),
    sha256: z.string().nullable(),
    failureCode: z.string().nullable(),
    failureMessage: z.string().nullable(),
    dueAt: time.nullable().describe('When it is tried next, while it is queued.'),
    nextTryAt: time
      .nullable()
      .describe('The earliest moment at which it is tried, as far as its routes allow, while it is queued.'),
    waitsFor: z
      .array(
        z
          .object({
            route: z.string(),
            state: z.enum(ROUTE_STATES),
            until: time.nullable().describe('Null: the next call tries it.'),
            reason: z.string().nullable(),
          })
          .meta({ id: 'RouteWait' }),
      )
      .describe('The routes that could make it, while none of them takes calls; mostly empty.'),
    deadlineAt: time,
    leaseUntil: time.nullable(),
    attempts: z.array(attemptSchema).describe('Every call of a provider, oldest first.'),
  })
  .meta({ id: 'ImageReport' })

export const retriedImageSchema = z.object({ imageId: z.string(), status: z.literal('queued') })

export const cancelledImageSchema = z.object({ imageId: z.string(), status: z.literal('cancelled') })

export const erasedImageSchema = z.object({
  imageId: z.string(),
  done: z.enum(['refunded', 'removed', 'forgotten']),
  promptErased: z.boolean().describe('False: another image of the request still needs the prompt.'),
})

export const USAGE_GROUPS = ['account', 'key', 'model', 'day', 'route'] as const

export const usageQuery = z.strictObject({
  by: z
    .union(
      [z.enum(USAGE_GROUPS), z.templateLiteral(['tag:', z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/)])],
      `must be one of ${USAGE_GROUPS.join(', ')}, or a tag such as tag:team`,
    )
    .default('model')
    .describe('tag:NAME has a line for each value of this tag, and one for what came without it.'),
  since,
  until,
  accountId: id.optional(),
})

const figures = {
  ordered: count,
  ready: count.describe('Also those that were removed since.'),
  failed: count,
  creditsCharged: sum,
  creditsRefunded: sum,
  creditsNet: sum,
  attempts: count,
  costMicroUsd: sum.describe('What the providers took, as far as they say it, in millionths of a US dollar.'),
  unknownCosts: count.describe('Calls of paid providers whose cost nobody knows.'),
}

export const usageSchema = z.object({
  by: z.string(),
  since: time.nullable(),
  until: time.nullable(),
  accountId: id.nullable(),
  lines: z.array(
    z
      .object({
        group: z
          .string()
          .nullable()
          .describe(
            'An id, a model, a day of UTC, a route, the value of a tag; null: no route yet, or without the tag.',
          ),
        name: z.string().nullable().describe('Of an account or a key.'),
        lastFour: z.string().nullable().describe('Of a key.'),
        ...figures,
      })
      .meta({ id: 'UsageLine' }),
  ),
  total: z.object(figures),
})

export const routeSchema = z
  .object({
    route: z.string(),
    adapter: z.string().nullable().describe('Null: it is not configured any more.'),
    models: z.array(z.string()),
    concurrency: count.nullable(),
    state: z.enum(ROUTE_STATES),
    until: time.nullable().describe('The earliest moment at which it is called again; null: now.'),
    failures: count.describe('In a row.'),
    busy: count.describe('Calls under way, of all processes.'),
    reason: z.string().nullable(),
    changedAt: time.nullable(),
  })
  .meta({ id: 'Route' })

export const resumedRouteSchema = z.object({
  route: z.string(),
  resumed: z.boolean().describe('False: it was never used, so there was nothing to resume.'),
})
