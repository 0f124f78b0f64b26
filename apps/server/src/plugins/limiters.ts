import { isIPv6 } from 'node:net'
import { ApiError } from '@wombat/contract'
import type { AuthenticatedKey, Config } from '@wombat/engine'
import type { FastifyReply } from 'fastify'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

/** Counts a minute, in this process. */
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

export function createLimiters(config: Config): Limiters {
  const byLimit = new Map<number, RateLimiterMemory>()

  function limiterFor(limit: number): RateLimiterMemory {
    let limiter = byLimit.get(limit)
    if (limiter === undefined) {
      limiter = new RateLimiterMemory({ points: limit, duration: WINDOW_SECONDS })
      byLimit.set(limit, limiter)
    }
    return limiter
  }

  return {
    async countRequest(key, reply) {
      const keyLimit = key.rateLimitPerMinute ?? key.accountRateLimitPerMinute ?? config.RATE_LIMIT_PER_MINUTE
      const ofKey = await count(limiterFor(keyLimit), { scope: 'key', id: key.keyId, limit: keyLimit })
      const accountLimit = key.accountRateLimitPerMinute
      const ofAccount =
        accountLimit === undefined
          ? ofKey
          : await count(limiterFor(accountLimit), { scope: 'account', id: key.accountId, limit: accountLimit })
      const nearer = ofAccount.remaining < ofKey.remaining ? ofAccount : ofKey
      reply.header('ratelimit-limit', nearer.limit)
      reply.header('ratelimit-remaining', Math.max(0, nearer.remaining))
      reply.header('ratelimit-reset', nearer.resetSeconds)
      for (const { scope, limit, remaining, resetSeconds } of [ofKey, ofAccount]) {
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
    adminFailures: addressLimiter(config.AUTH_FAILURES_PER_MINUTE, 'failed authentications'),
    authFailures: addressLimiter(config.AUTH_FAILURES_PER_MINUTE, 'failed authentications'),
    notFound: addressLimiter(config.NOT_FOUND_PER_MINUTE, 'requests for unknown images'),
  }
}

const NAMES = { key: 'API key', account: 'account', address: 'address' } as const

interface Count {
  readonly scope: 'key' | 'account'
  readonly limit: number
  /** Negative when this request is over the limit. */
  readonly remaining: number
  readonly resetSeconds: number
}

async function count(
  limiter: RateLimiterMemory,
  { scope, id, limit }: { scope: 'key' | 'account'; id: string; limit: number },
): Promise<Count> {
  const state = await consume(limiter, `${scope} ${id}`)
  const resetSeconds = Math.max(1, Math.ceil(state.msBeforeNext / 1000))
  return { scope, limit, remaining: limit - state.consumedPoints, resetSeconds }
}

/** The library rejects with its state when a limit is passed: that is no error here. */
async function consume(limiter: RateLimiterMemory, key: string): Promise<RateLimiterRes> {
  try {
    return await limiter.consume(key)
  } catch (state) {
    if (state instanceof RateLimiterRes) {
      return state
    }
    throw state
  }
}

function addressLimiter(limit: number, what: string): AddressLimiter {
  const limiter = new RateLimiterMemory({ points: limit, duration: WINDOW_SECONDS })
  return {
    async countFailure(address) {
      const state = await consume(limiter, network(address))
      if (state.consumedPoints > limit) {
        const seconds = Math.max(1, Math.ceil(state.msBeforeNext / 1000))
        throw tooMany('address', `Too many ${what} from this address: ${limit} a minute are allowed.`, limit, seconds)
      }
    },
  }
}

function tooManyRequests(scope: 'key' | 'account', limit: number, seconds: number): ApiError {
  return tooMany(scope, `This ${NAMES[scope]} may send ${limit} requests a minute.`, limit, seconds)
}

function tooMany(scope: keyof typeof NAMES, message: string, limit: number, seconds: number): ApiError {
  return new ApiError('rate_limited', `${message} Try again in ${seconds} s.`, {
    details: { scope, limit, windowSeconds: WINDOW_SECONDS },
    retryAfterSeconds: seconds,
  })
}

/** One customer has a whole /64 of IPv6 addresses. */
export function network(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) {
    return address
  }
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const middle = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  const groups = [...left, ...middle, ...right].slice(0, 4)
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')
}
