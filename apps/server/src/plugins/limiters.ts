import { isIPv6 } from 'node:net'
import { ApiError } from '@wombat/contract'
import type { Config } from '@wombat/engine'
import type { FastifyReply } from 'fastify'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'

/** Counts a minute, in this process. */
export interface Limiters {
  /** Counts a POST of a key and sets the RateLimit headers; throws ApiError('rate_limited') over its limit. */
  countRequest(keyId: string, limit: number | undefined, reply: FastifyReply): Promise<void>
  /** Failures of an address are counted after they happened, and beyond the limit nothing is looked up for it. */
  readonly authFailures: AddressLimiter
  readonly notFound: AddressLimiter
}

export interface AddressLimiter {
  /** Throws ApiError('rate_limited') when the address has used up its failures. */
  check(address: string): Promise<void>
  count(address: string): Promise<void>
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
    async countRequest(keyId, keyLimit, reply) {
      const limit = keyLimit ?? config.RATE_LIMIT_PER_MINUTE
      const state = await consume(limiterFor(limit), keyId)
      const resetSeconds = Math.max(1, Math.ceil(state.msBeforeNext / 1000))
      reply.header('ratelimit-limit', limit)
      reply.header('ratelimit-remaining', Math.max(0, state.remainingPoints))
      reply.header('ratelimit-reset', resetSeconds)
      if (state.consumedPoints > limit) {
        throw tooMany('key', `This API key may send ${limit} requests a minute.`, limit, resetSeconds)
      }
    },
    authFailures: addressLimiter(config.AUTH_FAILURES_PER_MINUTE, 'failed authentications'),
    notFound: addressLimiter(config.NOT_FOUND_PER_MINUTE, 'requests for unknown images'),
  }
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
    async check(address) {
      const state = await limiter.get(network(address))
      if (state !== null && state.consumedPoints >= limit) {
        const seconds = Math.max(1, Math.ceil(state.msBeforeNext / 1000))
        throw tooMany('address', `Too many ${what} from this address: ${limit} a minute are allowed.`, limit, seconds)
      }
    },
    async count(address) {
      await consume(limiter, network(address))
    },
  }
}

function tooMany(scope: 'key' | 'address', message: string, limit: number, seconds: number): ApiError {
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
