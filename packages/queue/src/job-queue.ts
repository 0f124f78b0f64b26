/**
 * A wake-up call for one image. PostgreSQL is the truth: a job may be lost, late or doubled, and nothing but time is
 * the worse for it.
 */
export interface Wakeup {
  readonly imageId: string
  /** How often the image was claimed before; with the id it names the job, so that a later try is never mistaken for an earlier one. */
  readonly fence: number
  /** Any number makes it another job than the one before, which may be stuck with a worker that is gone. */
  readonly again?: number | undefined
}

/** Handles one wake-up. What it throws is logged by the caller's `onError` and otherwise ignored: the sweep owns recovery. */
export type WakeupHandler = (imageId: string, signal: AbortSignal) => Promise<void>

/** One lane a provider, so that one upstream's outage fills no other's workers. */
export interface JobQueue {
  readonly description: string
  /** Adds all wake-ups of one lane in one round trip. One that is still waiting under the same name is not added again. */
  announce(lane: string, wakeups: readonly Wakeup[]): Promise<void>
  /** Starts taking jobs of a lane. `stop` takes no new job, waits at most `graceMs`, then aborts the signals of the rest and waits for their handlers. */
  work(lane: string, options: { concurrency: number; handler: WakeupHandler }): Promise<LaneWorker>
  /** Jobs that wait and that run, for status pages and health. Throws when the queue can't be reached. */
  depth(lane: string): Promise<{ waiting: number; active: number }>
  /** Throws with the reason when the queue can't be reached. */
  check(): Promise<void>
  close(): Promise<void>
}

export interface LaneWorker {
  stop(options: { graceMs: number }): Promise<void>
}
