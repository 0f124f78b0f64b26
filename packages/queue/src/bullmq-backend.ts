import type { Job, WorkerOptions } from 'bullmq'

export type OnError = (error: unknown, where: string) => void
export type WakeupProcessor = (job: Job<string>, token?: string) => Promise<void>
export type WorkerSettings = Omit<WorkerOptions<never>, 'connection'>

export interface BullmqJob {
  name: string
  data: string
  opts: { jobId: string }
}

/** What this package uses of BullMQ's Queue, whatever that runs on. */
export interface BullmqProducer {
  addBulk(jobs: BullmqJob[]): Promise<unknown>
  getJobCounts(...types: ('waiting' | 'active')[]): Promise<Record<string, number>>
}

/** What this package uses of BullMQ's Worker, whatever that runs on. */
export interface BullmqWorker {
  run(): Promise<void>
  close(): Promise<void>
}

/** All that differs between PostgreSQL and Redis. What it opens is connected and reports its own `error` events. */
export interface BullmqBackend {
  readonly description: string
  openProducer(lane: string): Promise<BullmqProducer>
  openWorker(lane: string, processor: WakeupProcessor, settings: WorkerSettings): Promise<BullmqWorker>
  check(): Promise<void>
  /** Closes the producers as well; workers are closed before. What is still under way rejects. */
  close(): Promise<void>
}
