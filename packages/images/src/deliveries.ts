import type { Database, Statement } from '@wombat/database'

/*
 * Messages to webhooks. They are written by the database in the transaction that ends an image (tell_webhooks), and say
 * what the image is when they are sent.
 */

/** A message that is this process's to send now, with what it tells of its image. */
export interface ClaimedDelivery {
  readonly id: string
  readonly webhookId: string
  /** This try's number, from 1: what it comes to counts only while no later one has begun. */
  readonly tries: number
  readonly url: string
  /** All that it is signed with, the newest first. */
  readonly secrets: readonly string[]
  readonly event: 'image.finished' | 'image.failed'
  readonly createdAt: Date
  readonly imageId: string
  readonly alt: string
  readonly model: string
  readonly width: number
  readonly height: number
  readonly contentType: string | null
  readonly tags: Readonly<Record<string, string>> | null
  readonly failureCode: string | null
  readonly failureMessage: string | null
}

const CLAIM: Statement = {
  name: 'claim-deliveries',
  text: `WITH due AS (
           SELECT p.id FROM webhook_deliveries p
           WHERE p.status = 'pending' AND p.due_at <= now() AND p.id IN (
             SELECT d.id FROM webhooks w CROSS JOIN LATERAL (
               SELECT o.id, o.due_at FROM webhook_deliveries o
               WHERE o.webhook_id = w.id AND o.status = 'pending' AND o.due_at <= now()
               ORDER BY o.due_at LIMIT $3) d
             WHERE w.disabled_at IS NULL AND w.id <> ALL ($2::uuid[]) ORDER BY d.due_at LIMIT $1)
           FOR UPDATE SKIP LOCKED),
         claimed AS (
           UPDATE webhook_deliveries d SET tries = d.tries + 1, due_at = now() + make_interval(secs => $4)
           FROM due WHERE d.id = due.id RETURNING d.*)
         SELECT c.id, c.webhook_id AS "webhookId", c.tries, c.event, c.created_at AS "createdAt", w.url,
                w.secret || ARRAY(SELECT s.secret FROM webhook_secrets s WHERE s.webhook_id = w.id AND s.signs_until > now()
                                  ORDER BY s.signs_until DESC) AS secrets,
                c.image_id AS "imageId", r.alt, i.model, r.width, r.height, i.content_type AS "contentType", r.tags,
                i.failure_code AS "failureCode", i.failure_message AS "failureMessage"
         FROM claimed c JOIN webhooks w ON w.id = c.webhook_id JOIN images i ON i.id = c.image_id
           JOIN requests r ON r.id = i.request_id`,
}

/**
 * Takes messages that are due, some of each webhook so that a slow one holds up nobody else. Nobody else takes them for
 * `leaseSeconds`; a process that dies with them leaves them to the others after that.
 */
export async function claimDeliveries(
  db: Database,
  options: { limit: number; limitEach: number; exceptWebhooks: readonly string[]; leaseSeconds: number },
): Promise<ClaimedDelivery[]> {
  const { limit, limitEach, exceptWebhooks, leaseSeconds } = options
  return await db.run<ClaimedDelivery>(CLAIM, [limit, exceptWebhooks, limitEach, leaseSeconds])
}

const DELIVERED: Statement = {
  name: 'end-delivery',
  text: `UPDATE webhook_deliveries SET status = 'delivered', delivered_at = now(), last_status = $2, last_error = NULL
         WHERE id = $1 AND status = 'pending' RETURNING id`,
}

/** It was taken: that counts whoever else may be trying it. */
export async function endDelivery(db: Database, id: string, httpStatus: number): Promise<void> {
  await db.run(DELIVERED, [id, httpStatus])
}

const POSTPONE: Statement = {
  name: 'postpone-delivery',
  text: `UPDATE webhook_deliveries SET last_status = $3, last_error = $4,
                status = CASE WHEN created_at + make_interval(secs => $6) <= now() THEN 'failed' ELSE 'pending' END,
                due_at = least(now() + make_interval(secs => $5), created_at + make_interval(secs => $6))
         WHERE id = $1 AND status = 'pending' AND tries = $2 RETURNING status`,
}

export interface DeliveryFault {
  readonly id: string
  readonly tries: number
  readonly httpStatus: number | undefined
  readonly message: string
}

/**
 * It was not taken: tries it again after the delay, for the last time when it is `giveUpSeconds` old, and gives it up
 * after that. Undefined: somebody else has tried it since.
 */
export async function postponeDelivery(
  db: Database,
  fault: DeliveryFault,
  when: { delaySeconds: number; giveUpSeconds: number },
): Promise<'pending' | 'failed' | undefined> {
  const { id, tries, httpStatus = null, message } = fault
  const values = [id, tries, httpStatus, message, when.delaySeconds, when.giveUpSeconds]
  const [row] = await db.run<{ status: 'pending' | 'failed' }>(POSTPONE, values)
  return row?.status
}

const DISABLE: Statement = {
  name: 'disable-webhook',
  text: `UPDATE webhooks SET disabled_at = now() WHERE id = $1 AND disabled_at IS NULL RETURNING id`,
}

/** Nothing is sent to it any more. False: it was disabled or deleted before. */
export async function disableWebhook(db: Database, webhookId: string): Promise<boolean> {
  return (await db.run(DISABLE, [webhookId])).length === 1
}

const GIVE_UP: Statement = {
  name: 'give-up-deliveries',
  text: `UPDATE webhook_deliveries SET status = 'failed', last_error = 'the webhook is disabled or deleted'
         WHERE id IN (
           SELECT d.id FROM webhook_deliveries d LEFT JOIN webhooks w ON w.id = d.webhook_id
           WHERE d.status = 'pending' AND (w.id IS NULL OR w.disabled_at IS NOT NULL) LIMIT $1 FOR UPDATE OF d SKIP LOCKED)
         RETURNING id`,
}

/** Gives up a batch of messages whose webhook takes none any more; answers how many. */
export async function giveUpDeliveries(db: Database, limit: number): Promise<number> {
  return (await db.run(GIVE_UP, [limit])).length
}

const PRUNE: Statement = {
  name: 'prune-deliveries',
  text: `DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY(
           SELECT id FROM webhook_deliveries WHERE created_at < now() - make_interval(secs => $1) ORDER BY created_at LIMIT $2))
         RETURNING id`,
}

/** Removes a batch of old messages, whatever became of them; answers how many. */
export async function pruneDeliveries(
  db: Database,
  options: { olderThanSeconds: number; limit: number },
): Promise<number> {
  return (await db.run(PRUNE, [options.olderThanSeconds, options.limit])).length
}

const HAS_DUE: Statement = {
  name: 'has-due-deliveries',
  text: `SELECT FROM webhooks w WHERE w.disabled_at IS NULL AND EXISTS (
           SELECT FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.due_at <= now()) LIMIT 1`,
}

export async function hasDueDeliveries(db: Database): Promise<boolean> {
  return (await db.run(HAS_DUE, [])).length > 0
}

const COLUMNS = `d.id AS "deliveryId", d.webhook_id AS "webhookId", d.image_id AS "imageId", d.event, d.status, d.tries,
                CASE d.status WHEN 'pending' THEN d.due_at END AS "dueAt", d.last_status AS "lastStatus",
                d.last_error AS "lastError", d.created_at AS "createdAt", d.delivered_at AS "deliveredAt"`

const LIST: Statement = {
  name: 'list-deliveries',
  text: `SELECT ${COLUMNS} FROM webhook_deliveries d WHERE d.webhook_id = $1 AND ($2::text IS NULL OR d.status = $2)
           AND ($4::timestamptz IS NULL OR (d.created_at, d.id) < ($4, $5::uuid))
         ORDER BY d.created_at DESC, d.id DESC LIMIT $3`,
}

export interface DeliveryLine {
  readonly deliveryId: string
  readonly webhookId: string
  readonly imageId: string
  readonly event: string
  readonly status: 'pending' | 'delivered' | 'failed'
  readonly tries: number
  /** While it is pending. */
  readonly dueAt: Date | null
  /** Of the last answer; null when there was none. */
  readonly lastStatus: number | null
  readonly lastError: string | null
  readonly createdAt: Date
  readonly deliveredAt: Date | null
}

/** The messages of a webhook, newest first. */
export async function listDeliveries(
  db: Database,
  filter: {
    webhookId: string
    status?: string | undefined
    limit: number
    after: { at: Date; id: string } | undefined
  },
): Promise<DeliveryLine[]> {
  const { webhookId, status = null, limit, after } = filter
  return await db.run<DeliveryLine>(LIST, [webhookId, status, limit, after?.at ?? null, after?.id ?? null])
}

const FIND: Statement = {
  name: 'find-delivery',
  text: `SELECT ${COLUMNS}, w.disabled_at IS NOT NULL AS "isDisabled"
         FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE d.id = $1::uuid`,
}

/** Undefined: there is no such message, or its webhook was deleted. */
export async function findDelivery(
  db: Database,
  deliveryId: string,
): Promise<{ delivery: DeliveryLine; isDisabled: boolean } | undefined> {
  const [row] = await db.run<DeliveryLine & { isDisabled: boolean }>(FIND, [deliveryId])
  if (row === undefined) {
    return undefined
  }
  const { isDisabled, ...delivery } = row
  return { delivery, isDisabled }
}

const RETRY: Statement = {
  name: 'retry-delivery',
  text: `UPDATE webhook_deliveries d SET status = 'pending', due_at = now(), delivered_at = NULL
         FROM webhooks w WHERE d.id = $1::uuid AND w.id = d.webhook_id AND w.disabled_at IS NULL
           AND (d.status <> 'pending' OR d.due_at > now() + make_interval(secs => $2::float8)) RETURNING d.id`,
}

/**
 * Has a message sent now, whatever became of it. Not one that is due within `leaseSeconds`: it may be under way, and is
 * sent soon anyway. False: nothing was changed.
 */
export async function retryDelivery(
  db: Database,
  deliveryId: string,
  options: { leaseSeconds: number },
): Promise<boolean> {
  return (await db.run(RETRY, [deliveryId, options.leaseSeconds])).length === 1
}
