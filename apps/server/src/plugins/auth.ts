import { ApiError, isApiKeyShape } from '@wombat/contract'
import type { AuthenticatedKey, Engine } from '@wombat/engine'
import type { FastifyRequest } from 'fastify'
import type { Limiters } from './limiters.ts'

const BEARER = /^ *bearer +([^ ]+) *$/i

/** The key of `Authorization: Bearer KEY`. Throws 401, or 429 when its address has too many failures behind it. */
export async function authenticate(
  request: FastifyRequest,
  { engine, limiters }: { engine: Engine; limiters: Limiters },
): Promise<AuthenticatedKey> {
  const apiKey = BEARER.exec(request.headers.authorization ?? '')?.[1]
  const isPlausible = apiKey !== undefined && isApiKeyShape(apiKey)
  const key = isPlausible ? await engine.keys.find(apiKey) : undefined
  if (key === undefined) {
    await limiters.authFailures.countFailure(request.ip)
    throw notAuthorized(request)
  }
  return key
}

export function notAuthorized(request: FastifyRequest): ApiError {
  const message =
    request.headers.authorization === undefined
      ? 'The API key is missing: send the header "Authorization: Bearer YOUR_API_KEY".'
      : 'The API key is not valid: send the header "Authorization: Bearer YOUR_API_KEY" with a key of this server.'
  return new ApiError('unauthorized', message, { headers: { 'www-authenticate': 'Bearer' } })
}
