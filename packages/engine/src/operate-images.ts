import type { Database } from '@wombat/database'
import { findImageDetails, type ImageDetails, type ImageFilter, listImages as listRows } from '@wombat/images'

/** One image in a list, for an operator. */
export interface ImageLine {
  readonly imageId: string
  readonly accountId: string
  readonly status: string
  readonly model: string
  readonly quality: string
  readonly width: number
  readonly height: number
  readonly prompt: string
  readonly createdAt: Date
  readonly finishedAt: Date | null
}

/** All that an operator may want to know of an image, fit for JSON. */
export interface ImageReport extends ImageLine {
  readonly requestId: string
  readonly style: string
  readonly finalPrompt: string | null
  readonly alt: string
  readonly tags: Readonly<Record<string, string>>
  readonly provider: string | null
  readonly contentType: string | null
  readonly sizeBytes: number | null
  readonly objectKey: string | null
  readonly sha256: string | null
  readonly failureCode: string | null
  readonly failureMessage: string | null
  /** When it is tried next, while it is queued. */
  readonly dueAt: Date | null
  readonly deadlineAt: Date
  readonly leaseUntil: Date | null
  readonly attempts: readonly AttemptLine[]
}

export interface AttemptLine {
  readonly route: string | null
  readonly provider: string
  readonly isPaid: boolean
  readonly startedAt: Date
  readonly finishedAt: Date | null
  readonly outcome: string | null
  readonly failure: string | null
  readonly message: string | null
  readonly upstreamId: string | null
  readonly latencyMs: number | null
  readonly costMicroUsd: number | null
}

/** Newest first. */
export async function listImages(db: Database, filter: ImageFilter): Promise<ImageLine[]> {
  const rows = await listRows(db, filter)
  return rows.map((row) => ({ ...toLine(row), ...row.request }))
}

/** Undefined when there is no such image. */
export async function showImage(db: Database, imageId: string): Promise<ImageReport | undefined> {
  const row = await findImageDetails(db, imageId)
  if (row === null) {
    return undefined
  }
  const { request } = row
  return {
    ...toLine(row),
    quality: request.quality,
    width: request.width,
    height: request.height,
    prompt: request.prompt,
    requestId: row.requestId,
    style: request.style,
    finalPrompt: request.finalPrompt,
    alt: request.alt,
    tags: toTags(request.tags),
    provider: row.provider,
    contentType: row.contentType,
    sizeBytes: row.sizeBytes,
    objectKey: row.objectKey,
    sha256: row.sha256,
    failureCode: row.failureCode,
    failureMessage: row.failureMessage,
    dueAt: row.status === 'queued' ? row.dueAt : null,
    deadlineAt: row.deadlineAt,
    leaseUntil: row.leaseUntil,
    attempts: row.attempts.map(toAttemptLine),
  }
}

function toLine(row: Pick<ImageDetails, 'id' | 'accountId' | 'status' | 'model' | 'createdAt' | 'finishedAt'>) {
  const { id, accountId, status, model, createdAt, finishedAt } = row
  return { imageId: id, accountId, status, model, createdAt, finishedAt }
}

/** Written by accept_requests, from what the contract took. */
function toTags(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(value ?? {}).map(([name, text]) => [name, String(text)]))
}

function toAttemptLine(attempt: ImageDetails['attempts'][number]): AttemptLine {
  const { route, provider, isPaid, startedAt, finishedAt, outcome, failure, message, latencyMs, costMicroUsd } = attempt
  return {
    route,
    provider,
    isPaid,
    startedAt,
    finishedAt,
    outcome,
    failure,
    message,
    // While the upstream goes on with a job, that is all there is to name.
    upstreamId: attempt.upstreamId ?? attempt.jobId,
    latencyMs,
    costMicroUsd: costMicroUsd === null ? null : Number(costMicroUsd),
  }
}
