import { setTimeout as sleep } from 'node:timers/promises'
import { isConnectionLoss } from '@wombat/database'

/** Together about a second: as long as a database takes to end its connections or to restart. */
const PAUSES_MS = [20, 100, 300, 700]

/** Reads, and repeats a read whose connection broke, so that a client who only looks notices nothing of it. */
export async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  for (const pauseMs of PAUSES_MS) {
    try {
      return await read()
    } catch (error) {
      if (!isConnectionLoss(error)) {
        throw error
      }
      await sleep(pauseMs)
    }
  }
  return await read()
}
