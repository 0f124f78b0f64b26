import type { Database, Listener } from '@wombat/database'
import { findFinished } from '@wombat/images'
import type { Logger } from './logger.ts'

/** Wakes who waits for an image, however many there are and whichever process finishes it. */
export interface Waiters {
  /**
   * Calls back once when the image may be done, until the answer is called. Subscribe first, then read the row. Who is
   * `patient` is not released before the end.
   */
  subscribe(imageId: string, callback: () => void, options?: { isPatient: boolean }): () => void
  readonly size: number
  /** Wakes all who can still be sent elsewhere. */
  release(): void
  /** Wakes all: nobody is held any more. */
  close(): void
}

/** For notifications that were lost: one query for all who wait in this process. */
const SAFETY_NET_MS = 5_000

export async function openWaiters(db: Database, listener: Listener, log: Logger): Promise<Waiters> {
  const callbacks = new Map<string, Set<() => void>>()
  const patient = new WeakSet<() => void>()
  let size = 0

  function wake(imageId: string) {
    const waiting = callbacks.get(imageId)
    if (waiting !== undefined) {
      callbacks.delete(imageId)
      size -= waiting.size
      for (const callback of waiting) {
        callback()
      }
    }
  }

  async function wakeFinished() {
    if (callbacks.size > 0) {
      for (const imageId of await findFinished(db, [...callbacks.keys()])) {
        wake(imageId)
      }
    }
  }

  function wakeFinishedSoon() {
    wakeFinished().catch((error: Error) => log.warn({ err: error.message }, 'waiters could not be checked'))
  }

  await listener.subscribe('wombat_image', wake)
  listener.onGap(wakeFinishedSoon)
  const timer = setInterval(wakeFinishedSoon, SAFETY_NET_MS)

  return {
    subscribe(imageId, callback, { isPatient } = { isPatient: false }) {
      if (isPatient) {
        patient.add(callback)
      }
      const waiting = callbacks.get(imageId) ?? new Set()
      callbacks.set(imageId, waiting)
      waiting.add(callback)
      size += 1
      return () => {
        if (waiting.delete(callback) && callbacks.get(imageId) === waiting) {
          size -= 1
          if (waiting.size === 0) {
            callbacks.delete(imageId)
          }
        }
      }
    },
    get size() {
      return size
    },
    release() {
      for (const waiting of callbacks.values()) {
        for (const callback of waiting) {
          if (!patient.has(callback)) {
            callback()
          }
        }
      }
    },
    close() {
      clearInterval(timer)
      for (const imageId of [...callbacks.keys()]) {
        wake(imageId)
      }
    },
  }
}
