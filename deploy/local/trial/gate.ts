import { setTimeout as sleep } from 'node:timers/promises'

/** Lets orders through one by one, at an even pace, as many as have been allowed so far. */
export interface Gate {
  /** So many in all from now on. */
  allow(total: number): void
  /** The number of the next order, from 0 on, when it is its turn; undefined when all have been let through. */
  enter(): Promise<number | undefined>
}

const POLL_MS = 20

export function openGate(most: number, { everyMs, stop }: { everyMs: number; stop: AbortSignal }): Gate {
  let allowed = 0
  let entered = 0
  let nextMs = 0
  return {
    allow(total) {
      allowed = Math.min(most, total)
    },
    async enter() {
      while (entered < most) {
        stop.throwIfAborted()
        const nowMs = performance.now()
        if (entered < allowed && nowMs >= nextMs) {
          nextMs = nowMs + everyMs
          entered += 1
          return entered - 1
        }
        await sleep(POLL_MS)
      }
      return undefined
    },
  }
}
