import { isUtf8 } from 'node:buffer'
import { type Answering, ApiError, type Input, type Operation, readInput, writeAnswer } from '@wombat/contract'
import { type AdminOperations, type Engine, openOperations } from '@wombat/engine'
import type { FastifyInstance, FastifyReply } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token it has; set for everything under /admin/v1. */
    adminName: string
  }
}

export interface AdminParts {
  readonly engine: Engine
}

export interface AdminCall<O extends Operation> extends Input<O['params'], O['query'], O['body']> {
  readonly operations: AdminOperations
  /** Aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal
  readonly reply: FastifyReply
}

/** Answers one operation of the contract: what it takes is checked, and what it answers is shaped, by its schemas. */
export function serve<O extends Operation>(
  app: FastifyInstance,
  { engine }: AdminParts,
  operation: O,
  work: (call: AdminCall<O>) => Promise<Answering<O>>,
): void {
  app.route({
    method: operation.method,
    // The plugin's prefix has the beginning.
    url: operation.path.replace(ADMIN_PREFIX, '').replaceAll(/\{(\w+)\}/g, ':$1'),
    async handler(request, reply) {
      const input = readInput(operation, { params: request.params, query: request.query, body: readBody(request.body) })
      const { db, config, publicUrl } = engine
      const operations = openOperations(db, { actor: request.adminName, config, publicUrl })
      const answer = await work({ ...asInput<O>(input), operations, gone: goneSignal(reply), reply })
      reply.status(operation.status)
      return typeof answer === 'string' ? answer : writeAnswer(operation, answer)
    },
  })
}

export const ADMIN_PREFIX = '/admin/v1'

/** TypeScript doesn't follow the parts of O into readInput's own parameters, which are the same. */
function asInput<O extends Operation>(input: unknown) {
  return input as Input<O['params'], O['query'], O['body']>
}

/** No body is the same as one without fields. */
function readBody(body: unknown): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) {
    return {}
  }
  try {
    if (isUtf8(body)) {
      return JSON.parse(body.toString('utf8'))
    }
  } catch (error) {
    throw new ApiError('invalid_json', 'The body is not valid JSON.', { cause: error })
  }
  throw new ApiError('invalid_json', 'The body must be JSON in UTF-8.')
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}

export function notFound(what: string, id: string): ApiError {
  // A client can tell it from an address that is none.
  return new ApiError('not_found', `There is no ${what} ${id}.`, { details: { [what]: id } })
}

export function found<T>(value: T | undefined, what: string, id: string): T {
  if (value === undefined) {
    throw notFound(what, id)
  }
  return value
}

/** `reason` is for programs. */
export function conflict(message: string, details: { reason: string; [name: string]: unknown }): ApiError {
  return new ApiError('conflict', message, { details })
}
