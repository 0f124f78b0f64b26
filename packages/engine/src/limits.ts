import type { Config } from './config.ts'

/** Calls that cost nothing may be repeated far more often, yet not for ever: a picture may itself end the worker. */
const FREE_CALLS_LIMIT = 50

/** How many calls of one image may end without a known outcome and be repeated. */
export function unknownLimit(config: Config, isPaid: boolean): number {
  if (!isPaid) {
    return FREE_CALLS_LIMIT
  }
  return config.RETRY_UNKNOWN ? config.UNKNOWN_ATTEMPTS_LIMIT : 0
}
