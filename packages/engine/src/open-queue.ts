import { examineRedis, type JobQueue, openPostgresQueue, openRedisQueue } from '@wombat/queue'
import type { Config } from './config.ts'
import { describeError, type Logger } from './logger.ts'

/** The queue on REDIS_URL, or else in the database. Throws with the reason when it can't be reached. */
export async function openJobQueue(config: Config, databaseUrl: string, log: Logger): Promise<JobQueue> {
  const onError = (error: unknown, where: string) => log.warn({ where, err: describeError(error) }, 'queue error')
  if (config.REDIS_URL === undefined) {
    return await openPostgresQueue({ url: databaseUrl, applicationName: 'wombat queue', onError })
  }
  const queue = await openRedisQueue({ url: config.REDIS_URL, onError })
  try {
    for (const { fault, remedy } of (await examineRedis(config.REDIS_URL)).warnings) {
      log.warn({ remedy }, `${fault}: ${remedy}`)
    }
  } catch (error) {
    // Only its advice is missing.
    log.warn({ err: describeError(error) }, 'Redis could not be examined')
  }
  return queue
}
