import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import type { PgPool, PgQueryable } from 'bullmq'
import pg from 'pg'
import type { BullmqBackend, OnError } from './bullmq-backend.ts'
import { BullmqQueue, JOB_OPTIONS } from './bullmq-queue.ts'
import type { JobQueue } from './job-queue.ts'
import { type Bullmq, postgresBackendFactory } from './postgres-backend.ts'
import { within } from './within.ts'

const SCHEMA = 'bullmq'
const COMMAND_CONNECTIONS = 4
const MOST_LANES = 64
const CLOSE_MS = 1_000

/** Nothing reads BullMQ's event stream, so it is kept short. */
const EVENTS_KEPT = 100

/**
 * Jobs need no fsync: a crash of the server loses at most wake-ups, and the sweep finds their images. That makes adding
 * them about twice as fast.
 */
const SESSION = `-c search_path=${SCHEMA} -c synchronous_commit=off -c statement_timeout=5s`

/** Opens the queue on a database that `migrateQueue` has prepared, and throws when it can't be reached. */
export async function openPostgresQueue(options: {
  url: string
  onError: OnError
  applicationName?: string
}): Promise<JobQueue> {
  const { onError, applicationName = 'wombat queue' } = options
  const bullmq = await import('bullmq')
  const pools = openPools({ bullmq, url: options.url, applicationName, onError })
  try {
    const backend = postgresBackend({ bullmq, pools, onError })
    await backend.check()
    return new BullmqQueue(backend, onError)
  } catch (error) {
    await pools.close()
    throw error
  }
}

/** Creates or updates BullMQ's schema; one query when nothing is to do. Processes that start together take turns. */
export async function migrateQueue(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'wombat queue migration' })
  client.on('error', () => {
    // The query under way rejects with the same error; without a listener it would end the process.
  })
  try {
    const [bullmq] = await Promise.all([import('bullmq'), client.connect()])
    if ((await schemaVersion(bullmq, client)) < bullmq.LATEST_SCHEMA_VERSION) {
      await bullmq.runMigrations(client, SCHEMA)
    }
  } finally {
    await client.end()
  }
}

/** 0 when there is no schema yet. */
async function schemaVersion(bullmq: Bullmq, client: PgQueryable): Promise<number> {
  try {
    return await bullmq.assertSchemaCompatibility(client, SCHEMA)
  } catch (error) {
    if (error instanceof bullmq.SchemaMigrationRequiredError) {
      return 0
    }
    throw error
  }
}

function postgresBackend({
  bullmq,
  pools,
  onError,
}: {
  bullmq: Bullmq
  pools: Pools
  onError: OnError
}): BullmqBackend {
  const { Queue, Worker } = bullmq.withBackend(postgresBackendFactory(bullmq))
  return {
    description: 'BullMQ on PostgreSQL',

    async openProducer(lane) {
      const queue = new Queue<string>(lane, {
        connection: pools.forProducers,
        defaultJobOptions: JOB_OPTIONS,
        streams: { events: { maxLen: EVENTS_KEPT } },
      })
      queue.on('error', (error) => onError(error, `queue ${lane}: producer`))
      return ready(queue)
    },

    async openWorker(lane, processor, settings) {
      const worker = new Worker<string, void>(lane, processor, { ...settings, connection: pools.forWorkers })
      worker.on('error', (error) => onError(error, `queue ${lane}: worker`))
      worker.on('failed', (_job, error) => onError(error, `queue ${lane}: failed`))
      worker.on('stalled', (jobId) => onError(new Error(`job ${jobId} stalled`), `queue ${lane}: stalled`))
      return ready(worker)
    },

    async check() {
      const version = await schemaVersion(bullmq, pools.forProducers)
      if (version < bullmq.LATEST_SCHEMA_VERSION) {
        throw new Error(
          `the queue's schema has version ${version} and needs ${bullmq.LATEST_SCHEMA_VERSION}: migrate it`,
        )
      }
    },

    close: () => pools.close(),
  }
}

/** BullMQ never tries again after a first connection that failed, so such a queue or worker is closed. */
async function ready<T extends { waitUntilReady(): Promise<void>; close(): Promise<void> }>(opened: T): Promise<T> {
  try {
    await opened.waitUntilReady()
    return opened
  } catch (error) {
    await opened.close()
    throw error
  }
}

interface Pools {
  readonly forProducers: PgPool
  readonly forWorkers: PgPool
  close(): Promise<void>
}

/** All lanes share a few connections for commands; each worker holds one more for its LISTEN. */
function openPools(options: { bullmq: Bullmq; url: string; applicationName: string; onError: OnError }): Pools {
  const sockets = new Set<Socket>()
  const connection = {
    stream: () => openSocket(sockets),
    connectionString: withSession(options.url, options.applicationName),
    connectionTimeoutMillis: 2_000,
    query_timeout: 6_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  }
  const commands = new pg.Pool({ ...connection, max: COMMAND_CONNECTIONS, idleTimeoutMillis: 60_000 })
  const listeners = new pg.Pool({ ...connection, max: MOST_LANES })
  reportErrors(commands, (error) => options.onError(error, 'queue: connection'))
  reportErrors(listeners, () => {
    // The worker that listens on the connection reports it.
  })
  return {
    forProducers: bullmqPool(options.bullmq, { commands, connections: commands }),
    forWorkers: bullmqPool(options.bullmq, { commands, connections: listeners }),
    async close() {
      await within(CLOSE_MS, Promise.all([commands.end(), listeners.end()]))
      // A server that hangs never closes its end, and would keep this process from ending.
      for (const socket of sockets) {
        socket.destroy()
      }
    },
  }
}

function openSocket(sockets: Set<Socket>): Socket {
  const socket = new Socket()
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  return socket
}

/** A client that breaks while it is checked out has nobody who listens, and would end the process. */
function reportErrors(pool: pg.Pool, report: (error: Error) => void): void {
  pool.on('connect', (client) => client.on('error', report))
  pool.on('error', () => {
    // The client's own listener has reported it.
  })
}

/** A pool as BullMQ wants it. It takes no listeners: BullMQ adds one for each queue and worker and removes none. */
function bullmqPool(bullmq: Bullmq, { commands, connections }: { commands: pg.Pool; connections: pg.Pool }): PgPool {
  const forQueries = asBullmqPool(bullmq, commands)
  const forSessions = asBullmqPool(bullmq, connections)
  const pool: PgPool = {
    query: (text, params) => forQueries.query(text, params),
    connect: () => forSessions.connect(),
    end: async () => {},
    on: () => pool,
    removeAllListeners: () => pool,
  }
  return pool
}

/** BullMQ describes pg in its own words, which the compiler can't match with those of @types/pg. */
function asBullmqPool(bullmq: Bullmq, pool: unknown): PgPool {
  assert(bullmq.isPgPool(pool))
  return pool
}

/** In the URL, since pg lets the URL's own parameters win over the settings beside it. */
function withSession(url: string, applicationName: string): string {
  const [server, query] = url.split('?')
  const parameters = new URLSearchParams(query)
  const options = parameters.get('options')
  parameters.set('options', options === null ? SESSION : `${options} ${SESSION}`)
  parameters.set('application_name', applicationName)
  return `${server}?${parameters.toString()}`
}
