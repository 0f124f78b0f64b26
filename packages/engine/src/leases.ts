import type { Database } from '@wombat/database'
import { renewLeases } from '@wombat/images'
import { describeError, type Logger } from './logger.ts'

/** An image that this process works on. */
export interface Lease extends Disposable {
  /** Aborted when the image was lost to another worker, or when this process has to stop. */
  readonly signal: AbortSignal
}

/** Prolongs all leases of the process in one statement, three times a lease. */
export interface Leases {
  hold(image: { imageId: string; fence: number }, stop: AbortSignal): Lease
  readonly size: number
  close(): void
}

export function openLeases(db: Database, log: Logger, leaseSeconds: number): Leases {
  const held = new Map<string, { imageId: string; fence: number; lost: AbortController }>()

  async function renew() {
    if (held.size === 0) {
      return
    }
    const before = [...held.values()]
    const kept = await renewLeases(db, before, leaseSeconds)
    for (const image of before) {
      if (!kept.has(image.imageId) && held.get(image.imageId) === image) {
        image.lost.abort(new Error('the lease was lost to another worker'))
      }
    }
  }

  const timer = setInterval(
    () => {
      // Without the database the leases run out by its clock, and the fence decides who may finish.
      renew().catch((error: unknown) => log.warn({ err: describeError(error) }, 'leases could not be renewed'))
    },
    (leaseSeconds * 1000) / 3,
  )

  return {
    hold(image, stop) {
      const entry = { imageId: image.imageId, fence: image.fence, lost: new AbortController() }
      held.set(image.imageId, entry)
      return {
        signal: AbortSignal.any([entry.lost.signal, stop]),
        [Symbol.dispose]() {
          if (held.get(image.imageId) === entry) {
            held.delete(image.imageId)
          }
        },
      }
    },
    get size() {
      return held.size
    },
    close: () => clearInterval(timer),
  }
}
