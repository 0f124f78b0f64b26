export type { JobQueue, LaneWorker, Wakeup, WakeupHandler } from './job-queue.ts'
export { migrateQueue, openPostgresQueue } from './postgres-queue.ts'
