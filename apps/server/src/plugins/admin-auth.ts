import { createHash, timingSafeEqual } from 'node:crypto'
import { ApiError } from '@wombat/contract'
import type { Config } from '@wombat/engine'
import type { FastifyRequest } from 'fastify'
import type { Limiters } from './limiters.ts'

const BEARER = /^ *bearer +([^ ]+) *$/i

/** Answers whose token a request has, for the audit log. Throws 401, or 429 when its address has too many failures behind it. */
export function openAuthorizer(
  { ADMIN_TOKEN }: Config,
  limiters: Limiters,
): (request: FastifyRequest) => Promise<string> {
  const known = ADMIN_TOKEN.map(({ name, token }) => ({ name, digest: digest(token) }))
  return async (request) => {
    const given = digest(BEARER.exec(request.headers.authorization ?? '')?.[1] ?? '')
    // All are compared, each in constant time: how long it takes says nothing.
    const [found] = known.filter((one) => timingSafeEqual(one.digest, given))
    if (found === undefined) {
      await limiters.adminFailures.countFailure(request.ip)
      throw new ApiError('unauthorized', 'The admin API needs the header "Authorization: Bearer ADMIN_TOKEN".', {
        headers: { 'www-authenticate': 'Bearer realm="admin"' },
      })
    }
    return found.name
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
