import { setTimeout as sleep } from 'node:timers/promises'

const POLL_MS = 10

/** Waits for the first answer that is not false or undefined, and returns it. `what` says in the failure what did not come. */
export async function until<T>(
  condition: () => Promise<T> | T,
  { timeoutMs = 10_000, what }: { timeoutMs?: number; what: string },
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await condition()
    if (isThere(answer)) {
      return answer
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${timeoutMs / 1000} s in vain: ${what}.`)
    }
    await sleep(POLL_MS)
  }
}

function isThere<T>(answer: T): answer is Exclude<T, false | undefined> {
  return answer !== false && answer !== undefined
}
