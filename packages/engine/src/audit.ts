import type { Database } from '@wombat/database'

/** One change that somebody made. */
export interface AuditLine {
  readonly id: string
  readonly at: Date
  /** The name of the admin token, or `cli:` and the user of the command. */
  readonly actor: string
  readonly action: string
  /** The account, key, image, plan, route, webhook, delivery or store. */
  readonly subject: string
  readonly details: Readonly<Record<string, unknown>> | null
}

export interface AuditEntry {
  readonly action: string
  readonly subject: string
  /** What was asked for and what came of it; never a key or another secret. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Adds an entry; within a transaction it stays only if the change does. */
export async function writeAudit(tx: Database, actor: string, { action, subject, details }: AuditEntry): Promise<void> {
  await tx.prisma.auditEntry.create({
    data: { actor, action, subject, ...(details === undefined ? {} : { details: toJson(details) }) },
  })
}

/** What JSON makes of it: dates become texts, and what is undefined is left out. */
function toJson(details: Readonly<Record<string, unknown>>): object {
  return JSON.parse(JSON.stringify(details))
}

/** Newest first. */
export async function listAudit(
  db: Database,
  filter: { actor?: string | undefined; subject?: string | undefined; limit: number; before?: string | undefined },
): Promise<AuditLine[]> {
  const { actor, subject, limit, before } = filter
  const rows = await db.prisma.auditEntry.findMany({
    where: {
      ...(actor === undefined ? {} : { actor }),
      ...(subject === undefined ? {} : { subject }),
      ...(before === undefined ? {} : { id: { lt: BigInt(before) } }),
    },
    orderBy: { id: 'desc' },
    take: limit,
  })
  return rows.map(({ id, details, ...row }) => ({
    ...row,
    id: String(id),
    details: isRecord(details) ? details : null,
  }))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
