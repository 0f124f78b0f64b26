import { assertCatalogue, DEFAULT_MODEL_ALIASES } from '@wombat/contract'
import { type Database, type Listener, migrate, openDatabase, openListener } from '@wombat/database'
import { createLocalEnhancer, createOpenAiEnhancer, guardEnhancer, type PromptEnhancer } from '@wombat/generation'
import { openAcceptor, type RequestAcceptor } from '@wombat/ledger'
import { type JobQueue, migrateQueue } from '@wombat/queue'
import type { BlobStore } from '@wombat/store'
import { type Announcer, openAnnouncer } from './announcer.ts'
import { type Bootstrap, bootstrap } from './bootstrap.ts'
import type { Config } from './config.ts'
import { type Counters, openCounters } from './counters.ts'
import { createDatabaseFigures } from './database-figures.ts'
import { type ImageCache, openImageCache } from './image-cache.ts'
import { type KeyCache, openKeyCache } from './key-cache.ts'
import { type Leases, openLeases } from './leases.ts'
import { describeError, type Logger } from './logger.ts'
import { type Metrics, openMetrics } from './metrics.ts'
import { openModels, type ServedModels } from './models.ts'
import { openJobQueue } from './open-queue.ts'
import { openStore } from './open-store.ts'
import { ownIdentity } from './process-identity.ts'
import { openReferenceArchive, type ReferenceArchive } from './reference-archive.ts'
import { openReferences, type References } from './references.ts'
import { listenerName } from './servers.ts'
import { timeDatabase, timeStore } from './timed.ts'
import { createTiming, type Timing } from './timing.ts'
import { openTracing, type Tracing } from './tracing.ts'
import { openWaiters, type Waiters } from './waiters.ts'

/** Everything that a flow needs, opened once a process and passed on. */
export interface Engine extends AsyncDisposable {
  readonly config: Config
  readonly log: Logger
  /** This process, as it signs its leases. */
  readonly identity: string
  readonly db: Database
  readonly listener: Listener
  readonly store: BlobStore
  readonly queue: JobQueue
  readonly models: ServedModels
  readonly enhancer: PromptEnhancer
  readonly localEnhancer: PromptEnhancer
  readonly references: References
  readonly archive: ReferenceArchive
  readonly acceptor: RequestAcceptor
  readonly announcer: Announcer
  readonly counters: Counters
  readonly keys: KeyCache
  readonly images: ImageCache
  readonly waiters: Waiters
  readonly leases: Leases
  readonly timing: Timing
  readonly metrics: Metrics
  readonly tracing: Tracing
  /** Other names of models, the operator's before ours. */
  readonly aliases: ReadonlyMap<string, string>
  /** Where clients find this server, without a slash at the end. The server sets it when it knows its port. */
  publicUrl: string
  /** True from the moment that the process was told to stop: it works as ever, but is not ready for more. */
  isLeaving: boolean
  /** True when no new work may begin any more. Set by `stopWaiting`. */
  readonly isStopping: boolean
  /** Releases all who are held and have no byte of an answer yet. */
  stopWaiting(): void
}

/** Brings the database up to this version, and makes the first account where there is none. */
export async function prepareDatabase(config: Config, url: string, log: Logger): Promise<Bootstrap | undefined> {
  const db = openDatabase({
    url,
    poolSize: 2,
    applicationName: 'wombat prepare',
    onError: (error) => logDatabase(log, error),
  })
  try {
    let made: Bootstrap | undefined
    const applied = await migrate(url, async () => {
      await (config.REDIS_URL === undefined ? migrateQueue(url) : undefined)
      made = await bootstrap(db, config)
    })
    if (applied.length > 0) {
      log.info({ migrations: applied }, 'database migrated')
    }
    return made
  } finally {
    await db.close()
  }
}

export interface EngineOptions {
  readonly databaseUrl: string
  readonly dataDir: string
  readonly log: Logger
  /** It answers requests. */
  readonly isServer?: boolean
}

/** Opens all parts. `databaseUrl` is the embedded server's when none is configured. */
export async function openEngine(config: Config, options: EngineOptions): Promise<Engine> {
  assertCatalogue()
  const { log, databaseUrl: url } = options
  const onError = (error: Error) => logDatabase(log, error)
  const { db, metrics } = openMeasured(config, url, onError)
  const queue = await openJobQueue(config, url, log)
  const applicationName = listenerName(options)
  const listener = await openListener({ url, applicationName, onError }).catch(async (error: unknown) => {
    await queue.close()
    throw error
  })
  const store = timeStore(openStore(config, options.dataDir), metrics)
  const models = openModels(config)
  const archive = openReferenceArchive(db, store)
  const localEnhancer = createLocalEnhancer()
  let isStopping = false
  // The cache listens before the waiters do: who is woken must not find what was cached before.
  const images = await openImageCache(db, store, listener, { maxBytes: config.IMAGE_CACHE_MB * 1024 * 1024 })
  const waiters = await openWaiters(db, listener, log)
  const engine: Engine = {
    config,
    log,
    identity: ownIdentity(),
    db,
    listener,
    store,
    queue,
    models,
    localEnhancer,
    enhancer: createEnhancer(config, localEnhancer, log),
    archive,
    references: openReferences(config.REFERENCE_ALLOW_HOSTS, archive),
    acceptor: openAcceptor(db),
    announcer: openAnnouncer(queue, log),
    counters: await openCounters(config, db, log),
    keys: await openKeyCache(db, listener),
    images,
    waiters,
    leases: openLeases(db, log, config.LEASE_SECONDS),
    timing: createTiming(),
    metrics,
    tracing: openTracing(config, log),
    aliases: new Map([...Object.entries(DEFAULT_MODEL_ALIASES), ...config.MODEL_ALIASES]),
    publicUrl: config.PUBLIC_URL ?? '',
    isLeaving: false,
    get isStopping() {
      return isStopping
    },
    stopWaiting() {
      isStopping = true
      waiters.release()
    },
    [Symbol.asyncDispose]: () => close(engine),
  }
  watchParts(engine)
  return engine
}

async function close(engine: Engine): Promise<void> {
  engine.stopWaiting()
  engine.waiters.close()
  engine.leases.close()
  await engine.acceptor.drain()
  await engine.announcer.drain()
  await engine.counters.close()
  await engine.tracing.close()
  await engine.models.close()
  await engine.queue.close()
  await engine.listener.close()
  await engine.store.close()
  await engine.db.close()
}

function openMeasured(
  config: Config,
  url: string,
  onError: (error: Error) => void,
): { db: Database; metrics: Metrics } {
  const metrics = openMetrics({ hasProcess: config.METRICS })
  const db = openDatabase({ url, poolSize: config.DATABASE_POOL_SIZE, applicationName: 'wombat', onError })
  return { db: timeDatabase(db, metrics), metrics }
}

function watchParts({ db, images, leases, log, metrics, models, waiters }: Engine): void {
  const served = models.served.map(({ model }) => model)
  metrics.watch({
    waiters: () => waiters.size,
    leases: () => leases.size,
    cache: images.figures,
    database: createDatabaseFigures(db, served, log),
  })
}

function createEnhancer(config: Config, fallback: PromptEnhancer, log: Logger): PromptEnhancer {
  const [apiKey] = config.OPENAI_API_KEY
  if (apiKey === undefined || config.SYNTHETIC === 'always') {
    return fallback
  }
  return guardEnhancer(
    ({ onFault, fallback: inPlace }) =>
      createOpenAiEnhancer({
        apiKey,
        baseUrl: config.OPENAI_BASE_URL,
        model: config.OPENAI_PROMPT_MODEL,
        timeoutMs: 15_000,
        fallback: inPlace,
        onFault: (error) => {
          onFault()
          // Its message may repeat the prompt.
          const name = error instanceof Error ? error.name : 'unknown'
          log.warn({ fault: name }, 'the prompt model failed, the prompt gets its style only')
        },
      }),
    { fallback },
  )
}

function logDatabase(log: Logger, error: Error): void {
  log.warn({ err: describeError(error) }, 'database connection lost')
}
