import { isIPv6 } from 'node:net'
import { ApiError } from '@wombat/contract'
import type { AuthenticatedKey, Counters, Engine } from '@wombat/engine'
import type { FastifyReply } from 'fastify'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { SharedCounts } from './shared-count.ts'

/**
 * Counts a minute, of all processes together. What this process has counted stands in while the store of the counts
 * is away: a request never fails for it.
 */
export interface Limiters {
  /**
   * Counts a POST for its key, and for its account where that has a limit of its own, and sets the RateLimit headers
   * of the nearer limit. Throws ApiError('rate_limited') over either.
   */
  countRequest(key: AuthenticatedKey, reply: FastifyReply): Promise<void>
  /** After `countRequest`: the error of a request over the limit of its key, with its headers. */
  refuseRequest(reply: FastifyReply): ApiError
  readonly authFailures: AddressLimiter
  readonly adminFailures: AddressLimiter
  readonly notFound: AddressLimiter
}

/**
 * Counts what failed, never what succeeded: who shares an address with somebody that guesses (an office, a proxy that
 * TRUST_PROXY does not name) is not locked out with him.
 */
export interface AddressLimiter {
  /** Throws ApiError('rate_limited') instead of the failure's own error when the address has too many behind it. */
  countFailure(address: string): Promise<void>
}

const WINDOW_SECONDS = 60

export function createLimiters({ config, counters }: Pick<Engine, 'config' | 'counters'>): Limiters {
  const countAll = createCount(counters)

  return {
    async countRequest(key, reply) {
      const keyLimit = key.rateLimitPerMinute ?? key.accountRateLimitPerMinute ?? config.RATE_LIMIT_PER_MINUTE
      const accountLimit = key.accountRateLimitPerMinute
      const wanted: Wanted[] = [{ scope: 'key', id: key.keyId, limit: keyLimit }]
      if (accountLimit !== undefined) {
        wanted.push({ scope: 'account', id: key.accountId, limit: accountLimit })
      }
      const counts = await countAll(wanted)
      const nearer = counts.reduce((one, other) => (other.remaining < one.remaining ? other : one))
      reply.header('ratelimit-limit', nearer.limit)
      reply.header('ratelimit-remaining', Math.max(0, nearer.remaining))
      reply.header('ratelimit-reset', nearer.resetSeconds)
      for (const { scope, limit, remaining, resetSeconds } of counts) {
        if (remaining < 0) {
          throw tooManyRequests(scope, limit, resetSeconds)
        }
      }
    },
    refuseRequest(reply) {
      const limit = Number(reply.getHeader('ratelimit-limit'))
      reply.header('ratelimit-remaining', 0)
      return tooManyRequests('key', limit, Number(reply.getHeader('ratelimit-reset')))
    },
    adminFailures: addressLimiter(countAll, config.AUTH_FAILURES_PER_MINUTE, 'failed authentications of operators'),
    authFailures: addressLimiter(countAll, config.AUTH_FAILURES_PER_MINUTE, 'failed authentications'),
    notFound: addressLimiter(countAll, config.NOT_FOUND_PER_MINUTE, 'requests for unknown images'),
  }
}

const NAMES = { key: 'API key', account: 'account', address: 'address' } as const

type Scope = keyof typeof NAMES

interface Wanted {
  readonly scope: Scope
  readonly id: string
  readonly limit: number
}

interface Count {
  readonly scope: Scope
  readonly limit: number
  /** Negative when this request is over the limit. */
  readonly remaining: number
  readonly resetSeconds: number
}

type CountAll = (wanted: readonly Wanted[]) => Promise<Count[]>

/** More refusals than this at once are asked about again. */
const MOST_REFUSED = 100_000

/**
 * Counts in the memory of this process, which is free, and in the store that all share, which may cost a round trip; but
 * not for what is known to be refused until its minute is over.
 */
function createCount(counters: Counters): CountAll {
  const own = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: WINDOW_SECONDS })
  const shared = new SharedCounts(counters)
  const refused = new Map<string, { count: number; untilMs: number }>()

  function findRefusal(name: string): { count: number; resetMs: number } | undefined {
    const refusal = refused.get(name)
    const resetMs = (refusal?.untilMs ?? 0) - performance.now()
    if (refusal === undefined || resetMs > 0) {
      return refusal && { count: refusal.count, resetMs }
    }
    refused.delete(name)
    return undefined
  }

  return async (wanted) => {
    const named = wanted.map(({ scope, id, limit }) => ({ name: `${scope} ${id}`, limit }))
    const names = named.map(({ name }) => name)
    const ours = await Promise.all(names.map((name) => own.consume(name)))
    const refusals = names.map(findRefusal)
    const isKnown = refusals.some((refusal) => refusal !== undefined)
    const counts = isKnown ? undefined : await shared.count(named)
    return wanted.map(({ scope, limit }, index) => {
      const { consumedPoints, msBeforeNext } = ours[index] ?? { consumedPoints: 0, msBeforeNext: 0 }
      const known = refusals[index] ?? counts?.[index]
      const { count, resetMs } = known ?? { count: consumedPoints, resetMs: msBeforeNext }
      if (known !== undefined && count > limit) {
        if (refused.size >= MOST_REFUSED) {
          refused.clear()
        }
        refused.set(names[index] ?? '', { count, untilMs: performance.now() + resetMs })
      }
      const resetSeconds = Math.min(WINDOW_SECONDS, Math.max(1, Math.ceil(resetMs / 1000)))
      return { scope, limit, remaining: limit - count, resetSeconds }
    })
  }
}

function addressLimiter(countAll: CountAll, limit: number, what: string): AddressLimiter {
  return {
    async countFailure(address) {
      const counts = await countAll([{ scope: 'address', id: `${network(address)} ${what}`, limit }])
      for (const { remaining, resetSeconds } of counts) {
        if (remaining < 0) {
          const message = `Too many ${what} from this address: ${limit} a minute are allowed.`
          throw tooMany('address', message, limit, resetSeconds)
        }
      }
    },
  }
}

function tooManyRequests(scope: Scope, limit: number, seconds: number): ApiError {
  return tooMany(scope, `This ${NAMES[scope]} may send ${limit} requests a minute.`, limit, seconds)
}

function tooMany(scope: Scope, message: string, limit: number, seconds: number): ApiError {
  return new ApiError('rate_limited', `${message} Try again in ${seconds} s.`, {
    details: { scope, limit, windowSeconds: WINDOW_SECONDS },
    retryAfterSeconds: seconds,
  })
}

/** One customer has a whole /64 of IPv6 addresses. */
export function network(address: string): string {
  // A server that listens on :: sees clients of IPv4 so.
  if (!isIPv6(address) || address.startsWith('::ffff:')) {
    return address.replace(/^::ffff:(?=[\d.]+$)/, '')
  }
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  const groups = [...left, ...middle, ...right].slice(0, 4)
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')
}
