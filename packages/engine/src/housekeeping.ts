import { forgetFormerSecrets } from '@wombat/accounts'
import type { Config } from './config.ts'
import type { Engine } from './engine.ts'
import { PRUNE_INTERVAL_MS, pruneOnce } from './prune.ts'
import { retain, retentionIntervalMs } from './retain.ts'
import { removeGarbage, SWEEP_INTERVAL_MS, sweepOnce, tidyUp } from './sweep.ts'
import { tidyWebhooks } from './webhooks.ts'

/** Work that comes again and again and is done by one process for all. It may be broken off, and do no harm if done twice. */
export interface HousekeepingJob {
  /** As the log names it. */
  readonly name: string
  /** The pause between the end of one run and the next; the first comes at once, in each process that takes over. */
  readonly everyMs: (config: Config) => number
  /** `signal` is aborted when the process stops or another one takes over. What it throws is logged. */
  readonly run: (engine: Engine, signal: AbortSignal) => Promise<void>
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** All of it. The leading process runs each by itself, so a long one holds up no other. */
export const HOUSEKEEPING: readonly HousekeepingJob[] = [
  { name: 'sweep', everyMs: () => SWEEP_INTERVAL_MS, run: sweepOnce },
  { name: 'garbage', everyMs: () => MINUTE_MS, run: removeGarbage },
  { name: 'tidy', everyMs: () => HOUR_MS, run: tidyUp },
  { name: 'retention', everyMs: retentionIntervalMs, run: retain },
  { name: 'pruning', everyMs: () => PRUNE_INTERVAL_MS, run: pruneOnce },
  { name: 'old webhooks', everyMs: () => HOUR_MS, run: tidyWebhooks },
  { name: 'old secrets', everyMs: () => HOUR_MS, run: ({ db }) => forgetFormerSecrets(db) },
]
