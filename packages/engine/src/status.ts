import { ERROR_STATUS, type ErrorCode, type ImageStatusBody } from '@wombat/contract'
import { findImageStatus } from '@wombat/images'
import type { Engine } from './engine.ts'

/** What an image takes when nothing else is known: the middle of the vendor's "8-15 seconds". */
const TYPICAL_SECONDS = 12

/** The body of GET /api/image/:id.json, or undefined for an unknown id. Never waits. */
export async function imageStatus(engine: Engine, imageId: string): Promise<ImageStatusBody | undefined> {
  const row = await findImageStatus(engine.db, imageId)
  if (row === undefined) {
    return undefined
  }
  const typicalSeconds = engine.timing.typicalSeconds(row.model) ?? TYPICAL_SECONDS
  const isPending = row.status === 'queued' || row.status === 'generating'
  const remaining = Math.max(1, Math.round(typicalSeconds * (1 + row.ahead / 4) - row.ageSeconds))
  return {
    id: row.id,
    status: STATUS_WORDS[row.status],
    progress: progressOf(row.status, row.ageSeconds / typicalSeconds),
    queuePosition: row.status === 'queued' ? row.ahead : null,
    etaSeconds: row.status === 'ready' ? 0 : isPending ? remaining : null,
    alt: row.alt,
    width: row.width,
    height: row.height,
    contentType: row.contentType === 'image/png' || row.contentType === 'image/jpeg' ? row.contentType : null,
    finalPrompt: row.finalPrompt,
    error:
      row.status === 'failed' || row.status === 'removed'
        ? {
            code: toErrorCode(row.failureCode ?? ''),
            message: row.failureMessage ?? '',
            refunded: row.status === 'failed',
          }
        : null,
  }
}

const STATUS_WORDS = {
  queued: 'queued',
  generating: 'processing',
  ready: 'finished',
  failed: 'failed',
  removed: 'failed',
} as const

function progressOf(status: keyof typeof STATUS_WORDS, share: number): number {
  switch (status) {
    case 'queued':
    case 'failed':
      return 0
    case 'generating':
      // An estimate that comes near the end and never reaches it.
      return Math.round((0.05 + 0.9 * (1 - Math.exp(-2 * share))) * 100) / 100
    case 'ready':
    case 'removed':
      return 1
  }
}

/** A code from a row: written by this program, maybe by a newer version of it. */
export function toErrorCode(code: string): ErrorCode {
  return isErrorCode(code) ? code : 'generation_failed'
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_STATUS, code)
}
