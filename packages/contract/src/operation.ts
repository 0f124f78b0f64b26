import { z } from 'zod'
import type { ErrorCode } from './errors.ts'

/** One call of an API: what it takes and what it answers. The server, the client and the OpenAPI document share it. */
export interface Operation<
  Path extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodObject = z.ZodObject,
  Answer extends z.ZodType = z.ZodType,
> {
  /** The operationId. */
  readonly id: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** With `{name}` for each parameter. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  /** Of the parameters in the path. */
  readonly params: Path
  readonly query: Query
  readonly body: Body
  readonly answer: Answer
  readonly status: 200 | 201
  /** Beside those that every call of this API may meet. */
  readonly errors: readonly ErrorCode[]
}

export const NONE = z.strictObject({})

/** The errors of a call that names something, and of one that changes it. */
export const NOT_FOUND = ['not_found'] as const
export const CONFLICT = ['not_found', 'conflict'] as const

const DEFAULTS = { params: NONE, query: NONE, body: NONE, status: 200, errors: [] } as const

type Given<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject, A extends z.ZodType> = Pick<
  Operation<P, Q, B, A>,
  'id' | 'method' | 'path' | 'tag' | 'summary' | 'answer'
> &
  Partial<Operation<P, Q, B, A>>

/** A call of the admin API; what is not given is nothing. */
export function define<
  A extends z.ZodType,
  P extends z.ZodObject = typeof NONE,
  Q extends z.ZodObject = typeof NONE,
  B extends z.ZodObject = typeof NONE,
>(given: Given<P, Q, B, A>): Operation<P, Q, B, A> {
  return fill({ ...DEFAULTS, ...given, path: `/admin/v1${given.path}` })
}

/** What was not given is NONE, which is what the type parameters are then. */
function fill<O extends Operation>(operation: unknown): O {
  return operation as O
}
