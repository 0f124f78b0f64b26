import { setTimeout as sleep } from 'node:timers/promises'
import type { JobQueue, Wakeup } from '@wombat/queue'
import { describeError, type Logger } from './logger.ts'

/**
 * Tells the queue of new images, in bulk and off the path of the answer. What can't be told, or is too much at once,
 * is left to the sweep, which finds it in the database.
 */
export interface Announcer {
  announce(lane: string, wakeups: readonly Wakeup[]): void
  /** Resolves when everything that was to be told has been told or given up. */
  drain(): Promise<void>
}

/** More than this waiting to be told means that the queue is behind; the sweep then feeds it at the queue's own pace. */
const MOST_WAITING = 2_000
const MOST_AT_ONCE = 250
/**
 * After a call, so that under load the next one has more to tell: one image costs the database as much alone as five do
 * together. Whoever comes first is told at once.
 */
const PAUSE_MS = 25
/** While the queue is away: asking again sooner helps nobody, and each time is a line in the log. */
const FAILED_PAUSE_MS = 500

export function openAnnouncer(queue: JobQueue, log: Logger): Announcer {
  const lanes = new Map<string, { waiting: Wakeup[]; underWay: Promise<void> | undefined }>()

  async function tell(lane: string, state: { waiting: Wakeup[] }) {
    do {
      const batch = state.waiting.splice(0, MOST_AT_ONCE)
      let pauseMs = PAUSE_MS
      try {
        await queue.announce(lane, batch)
      } catch (error) {
        const images = batch.length + state.waiting.splice(0).length
        log.warn({ lane, images, err: describeError(error) }, 'images could not be announced, the sweep will')
        pauseMs = FAILED_PAUSE_MS
      }
      await sleep(pauseMs)
    } while (state.waiting.length > 0)
  }

  return {
    announce(lane, wakeups) {
      let state = lanes.get(lane)
      if (state === undefined) {
        state = { waiting: [], underWay: undefined }
        lanes.set(lane, state)
      }
      if (state.waiting.length > MOST_WAITING) {
        return
      }
      state.waiting.push(...wakeups)
      if (state.underWay === undefined) {
        const active = state
        active.underWay = tell(lane, active).finally(() => {
          active.underWay = undefined
        })
      }
    },
    async drain() {
      await Promise.all([...lanes.values()].map(async (state) => await state.underWay))
    },
  }
}
