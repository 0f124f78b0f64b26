import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { findLockHolder, type LockHolder, openSessionLock } from '@wombat/database'
import type { Engine } from './engine.ts'
import { HOUSEKEEPING } from './housekeeping.ts'
import { describeError } from './logger.ts'
import { repeat } from './repeat.ts'
import { freeLost } from './sweep.ts'

/** The lock of the process that leads. */
const LEADER_LOCK = 1
const LOOK_FOR_DEAD_MS = 5_000

/**
 * Stands for election: of all processes that call this, one keeps house for all, and when it ends, hangs or loses its
 * database, another takes over within seconds.
 */
export function startScheduler(engine: Engine): { stop(options: { graceMs: number }): Promise<void> } {
  const { log } = engine
  const lock = openSessionLock({
    url: engine.db.url,
    applicationName: 'wombat scheduler',
    key: LEADER_LOCK,
    work: (signal) => keepHouse(engine, signal),
    onError: (error) => log.warn({ err: describeError(error) }, 'the connection that decides who leads was lost'),
  })
  engine.metrics.watchLeadership(() => lock.isHeld)
  const dead = repeat(async () => await (lock.isHeld ? undefined : freeLost(engine)), {
    everyMs: LOOK_FOR_DEAD_MS,
    name: 'lost workers',
    log,
  })
  return {
    async stop({ graceMs }) {
      const over = new AbortController()
      const late = sleep(graceMs, undefined, { signal: over.signal }).catch(() => {
        // They have ended in time.
      })
      await Promise.race([Promise.all([lock.close(), dead.stop()]), late])
      over.abort()
    },
  }
}

/** Ends, after its jobs have, when the signal aborts. */
async function keepHouse(engine: Engine, signal: AbortSignal): Promise<void> {
  engine.log.info('this process leads: it sweeps and keeps house for all')
  const loops = HOUSEKEEPING.map(({ name, everyMs, run }) =>
    repeat(() => run(engine, signal), { everyMs: everyMs(engine.config), name, log: engine.log }),
  )
  if (!signal.aborted) {
    await once(signal, 'abort')
  }
  await Promise.all(loops.map((loop) => loop.stop()))
}

/** The session of the process that leads; undefined when none does. */
export async function findLeader(url: string): Promise<LockHolder | undefined> {
  return await findLockHolder(url, LEADER_LOCK)
}
