import { ApiError } from '@wombat/contract'
import type { Config } from '@wombat/engine'
import { network } from '../plugins/limiters.ts'

/** Bounds how many requests are held, in all and for one address. */
export interface Holder {
  /** Takes a place until it is disposed of; throws ApiError('overloaded') when there is none. */
  enter(address: string): Disposable
}

export function createHolder(config: Config): Holder {
  const byNetwork = new Map<string, number>()
  let total = 0
  return {
    enter(address) {
      const name = network(address)
      const here = byNetwork.get(name) ?? 0
      if (total >= config.MAX_WAITERS || here >= config.WAITERS_PER_ADDRESS) {
        const limit = here >= config.WAITERS_PER_ADDRESS ? config.WAITERS_PER_ADDRESS : config.MAX_WAITERS
        const scope = here >= config.WAITERS_PER_ADDRESS ? 'address' : 'server'
        throw new ApiError('overloaded', 'Too many requests are waiting for images already. Ask again in a moment.', {
          details: { scope, limit },
          // Spread, so that those who were refused together don't come back together.
          retryAfterSeconds: 2 + Math.floor(Math.random() * 8),
        })
      }
      total += 1
      byNetwork.set(name, here + 1)
      return {
        [Symbol.dispose]() {
          total -= 1
          const left = (byNetwork.get(name) ?? 1) - 1
          if (left === 0) {
            byNetwork.delete(name)
          } else {
            byNetwork.set(name, left)
          }
        },
      }
    },
  }
}
