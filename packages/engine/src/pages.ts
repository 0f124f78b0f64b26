import { ApiError } from '@wombat/contract'

/** A part of a list, and what to ask for to get the next one. */
export interface Page<T> {
  readonly items: readonly T[]
  /** Null: this was the last part. */
  readonly next: string | null
}

export interface PageWish {
  readonly limit: number
  /** The `next` of the part before. */
  readonly cursor?: string | undefined
}

export interface Position {
  readonly at: Date
  readonly id: string
}

/** Asks for one row more than is wanted, so that a last part says that it is the last. */
export async function takePage<T>(
  limit: number,
  list: (limit: number) => Promise<readonly T[]>,
  cursorOf: (last: T) => string,
): Promise<Page<T>> {
  const rows = await list(limit + 1)
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}

export function writePosition({ at, id }: Position): string {
  return Buffer.from(`${at.getTime()} ${id}`).toString('base64url')
}

/** Throws ApiError for what no list has handed out. */
export function readPosition(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) {
    return undefined
  }
  const [, ms, id] = /^(\d{1,15}) ([0-9a-z-]{1,64})$/.exec(Buffer.from(cursor, 'base64url').toString('utf8')) ?? []
  if (ms === undefined || id === undefined) {
    throw noCursor()
  }
  return { at: new Date(Number(ms)), id }
}

/** Of a list in the order of its numbers. */
export function readNumber(cursor: string | undefined): string | undefined {
  if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
    throw noCursor()
  }
  return cursor
}

function noCursor(): ApiError {
  const expected = 'the "next" of the answer before'
  return new ApiError('invalid_request', `cursor must be ${expected}.`, { details: { field: 'cursor', expected } })
}
