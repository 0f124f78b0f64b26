import type { PromptEnhancer } from './enhancer.ts'

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
 * images of every model wait for its time-out. `make` gets what the enhancer has to call at each fault.
 */
export function guardEnhancer(
  make: (onFault: (error: unknown) => void) => PromptEnhancer,
  options: EnhancerGuardOptions,
): PromptEnhancer {
  const { fallback, tolerated = 2, firstMs = 5_000, mostMs = 300_000, nowMs = () => performance.now() } = options
  let faults = 0
  let closedUntilMs = Number.NEGATIVE_INFINITY
  const enhancer = make(() => {
    faults += 1
    if (faults >= tolerated) {
      closedUntilMs = nowMs() + Math.min(mostMs, firstMs * 2 ** (faults - tolerated))
    }
  })
  return {
    name: enhancer.name,
    isLocal: enhancer.isLocal,
    async enhance(request, signal) {
      if (nowMs() < closedUntilMs) {
        return await fallback.enhance(request, signal)
      }
      const before = faults
      const enhanced = await enhancer.enhance(request, signal)
      if (faults === before) {
        faults = 0
      }
      return enhanced
    },
  }
}
