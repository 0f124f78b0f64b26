import { randomBytes, randomUUID } from 'node:crypto'
import type { Database, Statement } from '@wombat/database'

/** Where an account wants to be told that its images are done. */
export interface Webhook {
  readonly webhookId: string
  readonly accountId: string
  readonly url: string
  readonly createdAt: Date
  /** When it answered that it is gone. */
  readonly disabledAt: Date | null
}

export const MOST_WEBHOOKS = 10

const CREATE: Statement = {
  name: 'create-webhook',
  text: `INSERT INTO webhooks (id, account_id, url, secret)
         SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM webhooks WHERE account_id = $2) < $5 RETURNING id`,
}

/** Undefined: the account, which must be there, has as many as it may. The secret is in the answer and shown nowhere else. */
export async function createWebhook(
  db: Database,
  wish: { accountId: string; url: string },
): Promise<{ webhookId: string; secret: string } | undefined> {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const webhookId = randomUUID()
  const rows = await db.run(CREATE, [webhookId, wish.accountId, wish.url, secret, MOST_WEBHOOKS])
  return rows.length === 1 ? { webhookId, secret } : undefined
}

const COLUMNS = `id AS "webhookId", account_id AS "accountId", url, created_at AS "createdAt", disabled_at AS "disabledAt"`

const LIST: Statement = {
  name: 'list-webhooks',
  text: `SELECT ${COLUMNS} FROM webhooks WHERE $1::uuid IS NULL OR account_id = $1 ORDER BY created_at LIMIT $2`,
}

/** Of one account, or of all. */
export async function listWebhooks(
  db: Database,
  filter: { accountId: string | undefined; limit: number },
): Promise<Webhook[]> {
  return await db.run<Webhook>(LIST, [filter.accountId ?? null, filter.limit])
}

const FIND: Statement = { name: 'find-webhook', text: `SELECT ${COLUMNS}, secret FROM webhooks WHERE id = $1` }

/** With its secret: for who signs. */
export async function findWebhook(
  db: Database,
  webhookId: string,
): Promise<(Webhook & { readonly secret: string }) | undefined> {
  const [row] = await db.run<Webhook & { secret: string }>(FIND, [webhookId])
  return row
}

const DELETE: Statement = { name: 'delete-webhook', text: 'DELETE FROM webhooks WHERE id = $1 RETURNING id' }

/** What waits for it is never sent. False: there is no such webhook. */
export async function deleteWebhook(db: Database, webhookId: string): Promise<boolean> {
  return (await db.run(DELETE, [webhookId])).length === 1
}
