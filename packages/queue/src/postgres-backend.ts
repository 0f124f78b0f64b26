import { setTimeout as sleep } from 'node:timers/promises'
import type { BackendFactory, PgPool, PostgresQueueBackend as PostgresBackend } from 'bullmq'

export type Bullmq = typeof import('bullmq')

/** A worker that lost its connection while a notification came looks for itself after this long. */
const MAX_BLOCK_SECONDS = 10
const RETRY_DELAY_MS = 500

/** BullMQ's PostgreSQL backend with some of its habits changed. BullMQ is loaded late, hence a function. */
export function postgresBackendFactory(bullmq: Bullmq): BackendFactory<PostgresBackend, PgPool> {
  class Backend extends bullmq.PostgresQueueBackend {
    /** After a lost connection BullMQ would wait an hour for a notification that may have been missed. */
    override get maximumBlockTimeout() {
      return MAX_BLOCK_SECONDS
    }

    /** `add_jobs_bulk` creates two tables at each call, which takes 8 ms; `add_flow` takes the same list in 1 ms. */
    override async addJobs(entries: Parameters<PostgresBackend['addJobs']>[0]) {
      const results = await this.addFlow(
        entries.map(({ job, jobId, parentKeyOpts = {} }) => ({
          jobData: job,
          jobId,
          parentKeyOpts,
          prefix: '',
          queueName: this.queueName,
        })),
      )
      return results.map(([error, id]) => {
        if (error !== null) {
          throw error
        }
        return String(id)
      })
    }

    override moveToActive(token: string, name?: string) {
      return slowToFail(super.moveToActive(token, name))
    }

    override waitForJob(blockTimeout: number) {
      return slowToFail(super.waitForJob(blockTimeout))
    }
  }

  return (name, { connection, ...options }, { withBlockingConnection = false } = {}) =>
    new Backend(
      new bullmq.PostgresConnection(connection),
      name,
      { ...options, connection },
      true,
      withBlockingConnection ? name : undefined,
    )
}

/** BullMQ asks again at once, or nearly so, when this fails: thousands of times a second while the server is away. */
async function slowToFail<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    await sleep(RETRY_DELAY_MS)
    throw error
  }
}
