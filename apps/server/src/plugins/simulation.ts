import {
  ApiError,
  type GenerationOrder,
  type PostError,
  parseGenerationRequest,
  parseSimulation,
  SIMULATE_HEADER,
  type Simulation,
} from '@wombat/contract'
import { type AuthenticatedKey, assertNotRefusedTooOften, type Engine } from '@wombat/engine'
import { errorCodes, type FastifyReply, type FastifyRequest } from 'fastify'
import { authenticate, notAuthorized } from './auth.ts'
import { parseJson } from './bodies.ts'
import type { Limiters } from './limiters.ts'

/** What becomes of the header X-Wombat-Simulate of a POST. */
export type Wish =
  | { readonly status: 'none' | 'ignored' }
  | { readonly status: 'granted'; readonly simulation: Simulation }
  | { readonly status: 'malformed'; readonly error: ApiError }

export function mayWish({ config }: Engine): boolean {
  return config.SIMULATE_HEADER ?? config.DEV_MODE
}

export function readWish(request: FastifyRequest, engine: Engine): Wish {
  const text = request.headers[SIMULATE_HEADER.toLowerCase()]
  if (typeof text !== 'string') {
    return { status: 'none' }
  }
  if (!mayWish(engine) || !isSynthetic(request, engine)) {
    return { status: 'ignored' }
  }
  const simulation = parseSimulation(text)
  if ('expected' in simulation) {
    return { status: 'malformed', error: refuse(simulation.expected) }
  }
  return { status: 'granted', simulation }
}

/** A real upstream is never played with. A body that is no order costs nothing whatever happens. */
function isSynthetic(request: FastifyRequest, engine: Engine): boolean {
  try {
    return engine.models.isSynthetic(parseOrder(request, engine).model)
  } catch (error) {
    if (error instanceof ApiError) {
      return true
    }
    throw error
  }
}

/** The key and its limit; first, in its place, the error that the request asks for. */
export async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  { wish, ...parts }: { engine: Engine; limiters: Limiters; wish: Wish },
): Promise<AuthenticatedKey> {
  const wanted = wantedError(wish)
  if (wanted === 'payload_too_large') {
    throw new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()
  }
  if (wanted === 'unsupported_media_type') {
    throw new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE()
  }
  const key = await authenticate(request, parts)
  if (wanted === 'unauthorized') {
    throw notAuthorized(request)
  }
  await parts.limiters.countRequest(key, reply)
  if (wanted === 'rate_limited') {
    throw parts.limiters.refuseRequest(reply)
  }
  await assertNotRefusedTooOften(parts.engine, key)
  return key
}

/** The order of the body, with the faults that go with it. */
export function readOrder(request: FastifyRequest, engine: Engine, wish: Wish): GenerationOrder {
  const wanted = wantedError(wish)
  if (wanted === 'invalid_json') {
    parseJson(Buffer.from('{'))
  }
  if (wanted === 'invalid_request') {
    parseGenerationRequest({}, { aliases: engine.aliases })
  }
  const order = parseOrder(request, engine)
  switch (wish.status) {
    case 'none':
      return order
    case 'ignored':
      return { ...order, ignoredParams: [SIMULATE_HEADER, ...order.ignoredParams] }
    case 'malformed':
      throw wish.error
    case 'granted':
      if ((wish.simulation.image ?? 1) > order.numImages) {
        throw refuse(`image as one of the ${order.numImages} that the request asks for`)
      }
      return { ...order, simulation: wish.simulation }
  }
}

function parseOrder(request: FastifyRequest, engine: Engine): GenerationOrder {
  return parseGenerationRequest(parseJson(request.body), { aliases: engine.aliases })
}

function wantedError(wish: Wish): PostError | undefined {
  return wish.status === 'granted' ? wish.simulation.error : undefined
}

function refuse(expected: string): ApiError {
  return new ApiError('invalid_request', `The header ${SIMULATE_HEADER} takes ${expected}.`, {
    details: { field: SIMULATE_HEADER, expected },
  })
}
