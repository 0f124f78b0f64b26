import type { EnhanceRequest, PromptEnhancer } from './enhancer.ts'

export interface EnhancerGuardOptions {
  /** Answers while the other one is left alone. */
  readonly fallback: PromptEnhancer
  /** Faults in a row after which it is left alone. */
  readonly tolerated?: number
  /** How long, at first and at most; twice as long each time. */
  readonly firstMs?: number
  readonly mostMs?: number
  readonly nowMs?: () => number
}

/**
 * Leaves an enhancer alone for a while after faults in a row, so that an outage of the language model does not make the
 * images of every model wait for its time-out; then one request finds out whether it is over. `make` gets what the
 * enhancer has to call at each fault, right before it asks its fallback, and that fallback.
 */
export function guardEnhancer(
  make: (parts: { onFault: () => void; fallback: PromptEnhancer }) => PromptEnhancer,
  options: EnhancerGuardOptions,
): PromptEnhancer {
  const { fallback, tolerated = 2, firstMs = 5_000, mostMs = 300_000, nowMs = () => performance.now() } = options
  const failed = new WeakSet<EnhanceRequest>()
  let isFault = false
  let faults = 0
  let openings = 0
  let closedUntilMs = Number.NEGATIVE_INFINITY
  let isTried = false

  const enhancer = make({
    onFault: () => {
      isFault = true
    },
    fallback: {
      ...fallback,
      enhance(request, signal) {
        if (isFault) {
          isFault = false
          failed.add(request)
        }
        return fallback.enhance(request, signal)
      },
    },
  })

  function settle(request: EnhanceRequest, seenOpenings: number) {
    // A call that began before the last closing tells of the time before.
    if (seenOpenings !== openings) {
      return
    }
    if (!failed.has(request)) {
      faults = 0
      openings = 0
      return
    }
    faults += 1
    if (faults >= tolerated || openings > 0) {
      closedUntilMs = nowMs() + Math.min(mostMs, firstMs * 2 ** openings)
      openings += 1
      faults = 0
    }
  }

  return {
    name: enhancer.name,
    isLocal: enhancer.isLocal,
    async enhance(asked, signal) {
      const isTrial = openings > 0
      if (nowMs() < closedUntilMs || (isTrial && isTried)) {
        return await fallback.enhance(asked, signal)
      }
      isTried = isTrial
      const seenOpenings = openings
      // An object of its own, by which its fault is known.
      const request = { ...asked }
      try {
        const enhanced = await enhancer.enhance(request, signal)
        settle(request, seenOpenings)
        return enhanced
      } finally {
        isTried = isTrial ? false : isTried
      }
    },
  }
}
