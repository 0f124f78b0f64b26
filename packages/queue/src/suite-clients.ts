import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobQueue, Wakeup } from './job-queue.ts'

/** Answers one more client of one and the same store. */
export type OpenQueue = (onError: (error: unknown, where: string) => void) => Promise<JobQueue>

/** The clients that one test opens, and what they report. */
export class SuiteClients {
  readonly errors: string[] = []
  readonly #openQueue: OpenQueue
  readonly #opened: JobQueue[] = []

  constructor(openQueue: OpenQueue) {
    this.#openQueue = openQueue
  }

  async open(): Promise<JobQueue> {
    const queue = await this.#openQueue((error, where) => this.errors.push(`${where}: ${String(error)}`))
    this.#opened.push(queue)
    return queue
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((queue) => queue.close()))
    this.errors.length = 0
  }
}

export function wakeups(count: number): Wakeup[] {
  return Array.from({ length: count }, (_, index) => ({ imageId: `img_${index}`, fence: 0 }))
}

export async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

export async function eventually(isTrue: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await isTrue())) {
    assert(performance.now() < deadlineMs, `not within ${timeoutMs} ms`)
    await sleep(10)
  }
}
