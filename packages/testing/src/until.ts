import { setTimeout as sleep } from 'node:timers/promises'

/** The longer it takes, the less often it asks: a condition costs a query, often on a connection of its own. */
const LEAST_POLL_MS = 10
const MOST_POLL_MS = 50
const POLLS_OF_WAIT = 20

/**
 * Waits for the first answer that is not false or undefined, and returns it. `what` says in the failure what did not
 * come, after so long that a machine with other work would have had it.
 */
export async function until<T>(
  condition: () => Promise<T> | T,
  { timeoutMs = 30_000, what }: { timeoutMs?: number; what: string },
): Promise<Exclude<T, false | undefined>> {
  const startedMs = performance.now()
  for (;;) {
    const answer = await condition()
    if (isThere(answer)) {
      return answer
    }
    const waitedMs = performance.now() - startedMs
    if (waitedMs > timeoutMs) {
      throw new Error(`Waited ${timeoutMs / 1000} s in vain: ${what}.`)
    }
    await sleep(Math.min(Math.max(waitedMs / POLLS_OF_WAIT, LEAST_POLL_MS), MOST_POLL_MS))
  }
}

function isThere<T>(answer: T): answer is Exclude<T, false | undefined> {
  return answer !== false && answer !== undefined
}
