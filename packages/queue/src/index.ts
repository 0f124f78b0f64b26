export type { JobQueue, LaneWorker, Wakeup, WakeupHandler } from './job-queue.ts'
export { migrateQueue, openPostgresQueue } from './postgres-queue.ts'
export { parseRedisUrl, REDIS_URL_FORMS } from './redis-address.ts'
export { openRedisQueue } from './redis-queue.ts'
