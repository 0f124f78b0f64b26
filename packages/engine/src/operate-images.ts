import type { Database } from '@wombat/database'
import { findImageDetails, type ImageDetails, type ImageFilter, listImages as listRows } from '@wombat/images'
import { listRoutes, type RouteLine, type RouteSettings } from './operate-routes.ts'

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
  /** The earliest moment at which it is tried, as far as its routes allow; null when it is not queued. */
  readonly nextTryAt: Date | null
  /** The routes that could make it, while none of them takes calls; empty when it waits only for `dueAt` and its turn. */
  readonly waitsFor: readonly RouteWait[]
  readonly deadlineAt: Date
  readonly leaseUntil: Date | null
  readonly attempts: readonly AttemptLine[]
}

export type RouteWait = Pick<RouteLine, 'route' | 'state' | 'until' | 'reason'>

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
export async function showImage(
  db: Database,
  config: RouteSettings,
  imageId: string,
): Promise<ImageReport | undefined> {
  const row = await findImageDetails(db, imageId)
  if (row === null) {
    return undefined
  }
  const { request } = row
  const waitsFor = row.status === 'queued' ? await findWait(db, config, row) : []
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
    nextTryAt: row.status === 'queued' ? nextTry(row.dueAt, waitsFor) : null,
    waitsFor,
    deadlineAt: row.deadlineAt,
    leaseUntil: row.leaseUntil,
    attempts: row.attempts.map(toAttemptLine),
  }
}

/** What keeps it from being made, if its routes do. One whose upstream is at it already goes on with that route only. */
async function findWait(db: Database, config: RouteSettings, row: ImageDetails): Promise<RouteWait[]> {
  const serving = (await listRoutes(db, config)).filter(({ models }) => models.includes(row.model))
  const begun = row.attempts.findLast(({ outcome, jobId }) => outcome === null && jobId !== null)
  const bound = serving.filter(({ route }) => route === begun?.route)
  const able = bound.length === 0 ? serving : bound
  return able.some(({ state }) => state === 'in_use' || state === 'unused')
    ? []
    : able.map(({ route, state, until, reason }) => ({ route, state, until, reason }))
}

function nextTry(dueAt: Date, waitsFor: readonly RouteWait[]): Date {
  const opens = waitsFor.map(({ until }) => until?.getTime() ?? 0)
  return new Date(Math.max(dueAt.getTime(), opens.length === 0 ? 0 : Math.min(...opens)))
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
