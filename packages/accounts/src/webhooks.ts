import { randomBytes, randomUUID } from 'node:crypto'
import type { Database, Statement } from '@wombat/database'

/** Where an account wants to be told that its images are done. */
export interface Webhook {
  readonly webhookId: string
  readonly accountId: string
  readonly url: string
  readonly createdAt: Date
  /** Since when it is sent nothing: an operator wanted that, or it answered that it is gone. */
  readonly disabledAt: Date | null
  /** Until then its messages are signed with a secret that it had before, too; null: only with the one it has. */
  readonly overlapUntil: Date | null
}

export const MOST_WEBHOOKS = 10
/** Secrets that it had before and still signs with; a signature of each is in every message. */
export const MOST_FORMER_SECRETS = 3

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
  const secret = makeSecret()
  const webhookId = randomUUID()
  const rows = await db.run(CREATE, [webhookId, wish.accountId, wish.url, secret, MOST_WEBHOOKS])
  return rows.length === 1 ? { webhookId, secret } : undefined
}

function makeSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

const COLUMNS = `w.id AS "webhookId", w.account_id AS "accountId", w.url, w.created_at AS "createdAt", w.disabled_at AS "disabledAt",
                 (SELECT max(s.signs_until) FROM webhook_secrets s
                  WHERE s.webhook_id = w.id AND s.signs_until > now()) AS "overlapUntil"`

const LIST: Statement = {
  name: 'list-webhooks',
  text: `SELECT ${COLUMNS} FROM webhooks w
         WHERE ($1::uuid IS NULL OR w.account_id = $1) AND ($2::timestamptz IS NULL OR (w.created_at, w.id) < ($2, $3::uuid))
         ORDER BY w.created_at DESC, w.id DESC LIMIT $4`,
}

/** Of one account, or of all; newest first. */
export async function listWebhooks(
  db: Database,
  filter: { accountId: string | undefined; limit: number; after: { at: Date; id: string } | undefined },
): Promise<Webhook[]> {
  const { accountId = null, after, limit } = filter
  return await db.run<Webhook>(LIST, [accountId, after?.at ?? null, after?.id ?? null, limit])
}

const FIND: Statement = { name: 'find-webhook', text: `SELECT ${COLUMNS} FROM webhooks w WHERE w.id = $1::uuid` }

export async function findWebhook(db: Database, webhookId: string): Promise<Webhook | undefined> {
  const [row] = await db.run<Webhook>(FIND, [webhookId])
  return row
}

const SECRETS: Statement = {
  name: 'find-webhook-secrets',
  text: `SELECT w.secret || ARRAY(SELECT s.secret FROM webhook_secrets s WHERE s.webhook_id = w.id AND s.signs_until > now()
                                  ORDER BY s.signs_until DESC) AS secrets
         FROM webhooks w WHERE w.id = $1::uuid`,
}

/** All that its messages are signed with now, the newest first; none of a webhook that is not there. */
export async function findSecrets(db: Database, webhookId: string): Promise<readonly string[]> {
  const [row] = await db.run<{ secrets: string[] }>(SECRETS, [webhookId])
  return row?.secrets ?? []
}

const MOVE: Statement = { name: 'move-webhook', text: 'UPDATE webhooks SET url = $2 WHERE id = $1::uuid RETURNING id' }

/** What waits for it goes to the new URL. False: there is no such webhook. */
export async function moveWebhook(db: Database, webhookId: string, url: string): Promise<boolean> {
  return (await db.run(MOVE, [webhookId, url])).length === 1
}

const SWITCH: Statement = {
  name: 'switch-webhook',
  text: `UPDATE webhooks SET disabled_at = CASE WHEN $2::boolean THEN now() END
         WHERE id = $1::uuid AND (disabled_at IS NOT NULL) <> $2 RETURNING id`,
}

/** False: it is so already, or there is no such webhook. */
export async function setWebhookDisabled(db: Database, webhookId: string, isDisabled: boolean): Promise<boolean> {
  return (await db.run(SWITCH, [webhookId, isDisabled])).length === 1
}

const DELETE: Statement = { name: 'delete-webhook', text: 'DELETE FROM webhooks WHERE id = $1::uuid RETURNING id' }

/** What waits for it is never sent. False: there is no such webhook. */
export async function deleteWebhook(db: Database, webhookId: string): Promise<boolean> {
  return (await db.run(DELETE, [webhookId])).length === 1
}

const LOCK: Statement = { name: 'lock-webhook', text: 'SELECT secret FROM webhooks WHERE id = $1::uuid FOR UPDATE' }

const FORGET: Statement = {
  name: 'forget-webhook-secrets',
  text: `DELETE FROM webhook_secrets WHERE webhook_id = $1::uuid AND (signs_until <= now() OR $2::float8 = 0) RETURNING id`,
}

const KEEP: Statement = {
  name: 'keep-webhook-secret',
  text: `INSERT INTO webhook_secrets (id, webhook_id, secret, signs_until)
         SELECT gen_random_uuid(), $1::uuid, $2, now() + make_interval(secs => $3::float8)
         WHERE (SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1::uuid) < $4 RETURNING id`,
}

const REPLACE: Statement = {
  name: 'replace-webhook-secret',
  text: 'UPDATE webhooks SET secret = $2 WHERE id = $1::uuid',
}

export type SecretChange =
  | { readonly status: 'changed'; readonly secret: string }
  /** As many former secrets as may be still sign. */
  | { readonly status: 'too many' }
  | { readonly status: 'unknown webhook' }

/**
 * Gives a webhook a new secret, within its caller's transaction. The former one signs beside it for so long; with 0 neither
 * that nor an earlier one does any more.
 */
export async function changeSecret(
  tx: Database,
  webhookId: string,
  options: { overlapSeconds: number },
): Promise<SecretChange> {
  const { overlapSeconds } = options
  const [row] = await tx.run<{ secret: string }>(LOCK, [webhookId])
  if (row === undefined) {
    return { status: 'unknown webhook' }
  }
  await tx.run(FORGET, [webhookId, overlapSeconds])
  if (overlapSeconds > 0) {
    const kept = await tx.run(KEEP, [webhookId, row.secret, overlapSeconds, MOST_FORMER_SECRETS])
    if (kept.length === 0) {
      return { status: 'too many' }
    }
  }
  const secret = makeSecret()
  await tx.run(REPLACE, [webhookId, secret])
  return { status: 'changed', secret }
}

const FORGET_ALL: Statement = {
  name: 'forget-former-secrets',
  text: 'DELETE FROM webhook_secrets WHERE signs_until <= now()',
}

/** Those that sign nothing any more. */
export async function forgetFormerSecrets(db: Database): Promise<void> {
  await db.run(FORGET_ALL, [])
}
