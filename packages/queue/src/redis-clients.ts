import type { Cluster, Redis, RedisOptions } from 'ioredis'
import { describeRedis, parseRedisUrl, REDIS_URL_FORMS, type RedisAddress } from './redis-address.ts'

export type RedisClient = Redis | Cluster
type Options = Omit<RedisOptions, 'replyMapping'>

/** What is opened on one Redis: whatever becomes of them, `close` ends all, and those that BullMQ makes of them. */
export interface RedisClients {
  readonly where: string
  /** Connected. Its commands fail at once while Redis is away, and after a while when it hangs: for those who have no time. */
  readonly impatient: RedisClient
  /** Not connected: BullMQ's workers make their own connections like it, which wait until Redis is back. */
  readonly patient: RedisClient
  /** Throws with the reason when Redis can't be reached. */
  check(): Promise<void>
  close(): void
}

/** How long the first connection may take: Redis may be starting as well. */
const FIRST_CONNECTION_MS = 5_000
const CONNECT_TIMEOUT_MS = 2_000
/** What hangs is given up after this long, and asked again by the next caller. */
const COMMAND_TIMEOUT_MS = 2_000
const MOST_RETRY_DELAY_MS = 1_000
/** No patience helps against these. */
const FINAL = /^(WRONGPASS|NOAUTH|NOPERM|ERR (AUTH|invalid password|DB index|Client sent AUTH))|WRONGPASS|NOAUTH/

/** Connects, or throws with the reason, without a password in it. */
export async function openRedisClients(
  url: string,
  options: { name: string; onError: (error: Error) => void; commandTimeoutMs?: number },
): Promise<RedisClients> {
  const { name, onError, commandTimeoutMs = COMMAND_TIMEOUT_MS } = options
  const address = parseRedisUrl(url)
  if (address === undefined) {
    throw new Error(`no address of a Redis: it takes ${REDIS_URL_FORMS}`)
  }
  const ioredis = await import('ioredis')
  const opened = new Opened()
  const create = (wishes: Options) => opened.keep(createClient(ioredis, address, wishes))
  const impatient = create({
    connectionName: name,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: commandTimeoutMs,
  })
  let lastFault: Error | undefined
  impatient.on('error', (error: Error) => {
    lastFault = error
    onError(error)
  })
  impatient.on('ready', () => {
    lastFault = undefined
  })
  const where = describeRedis(address)
  try {
    await connect(impatient)
  } catch (error) {
    opened.close()
    throw new Error(`Redis at ${where} can't be reached: ${reasonOf(error)}`, { cause: error })
  }
  return {
    where,
    impatient,
    patient: create({ connectionName: name, maxRetriesPerRequest: null }),
    async check() {
      try {
        await impatient.ping()
      } catch (error) {
        const reason = isConnected(impatient) ? reasonOf(error) : reasonOf(lastFault ?? 'the connection is lost')
        throw new Error(`Redis at ${where} can't be reached: ${reason}`, { cause: error })
      }
    },
    close: () => opened.close(),
  }
}

/** A cluster has the status `connect` when it is ready to be used. */
export function isConnected(client: RedisClient): boolean {
  return client.status === 'ready' || (isClusterClient(client) && client.status === 'connect')
}

export function isClusterClient(client: RedisClient): client is Cluster {
  return client.isCluster
}

/** All connections, also those that BullMQ makes for its workers by `duplicate`. */
class Opened {
  readonly #clients = new Set<RedisClient>()
  #isClosed = false

  keep<Client extends RedisClient>(client: Client): Client {
    this.#clients.add(client)
    client.on('error', () => {
      // Whoever uses it reports it; without a listener ioredis writes to the terminal.
    })
    client.on('end', () => this.#clients.delete(client))
    const { connect, disconnect, duplicate } = client
    Object.assign(client, {
      /** Between two tries ioredis would neither end nor fail what waits, and BullMQ waits for both. */
      disconnect: (reconnect?: boolean): void => {
        if (client.status === 'reconnecting' && reconnect !== true) {
          client.status = 'wait'
        }
        Reflect.apply(disconnect, client, [reconnect])
      },
      duplicate: (...wishes: unknown[]): RedisClient => this.keep(Reflect.apply(duplicate, client, wishes)),
      /** BullMQ connects again what was disconnected under its hands. */
      connect: (): Promise<void> =>
        this.#isClosed ? Promise.reject(new Error('Connection is closed.')) : Reflect.apply(connect, client, []),
    })
    return client
  }

  close(): void {
    this.#isClosed = true
    for (const client of this.#clients) {
      client.disconnect()
    }
  }
}

function createClient(
  { Cluster: ClusterClient, Redis: SingleClient }: Pick<typeof import('ioredis'), 'Cluster' | 'Redis'>,
  address: RedisAddress,
  wishes: Options,
): RedisClient {
  const retryStrategy = (times: number) => Math.min(50 * 2 ** Math.min(times, 10), MOST_RETRY_DELAY_MS)
  const options = { ...commonOptions(address), ...wishes }
  if (address.kind === 'cluster') {
    const { enableOfflineQueue = true, ...redisOptions } = options
    return new ClusterClient([...address.nodes], {
      redisOptions,
      enableOfflineQueue,
      clusterRetryStrategy: retryStrategy,
      lazyConnect: true,
      // Certificates are for names, not for the addresses behind them.
      ...(address.isEncrypted ? { dnsLookup: (host, done) => done(null, host) } : {}),
    })
  }
  return new SingleClient({ ...options, ...targetOf(address), retryStrategy, lazyConnect: true })
}

function commonOptions(address: RedisAddress): Options {
  const { username, password, isEncrypted } = address
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isEncrypted ? { tls: {} } : {}),
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    // After a failover the address may lead to what is a replica now: connect anew, and send the command again.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
  }
}

function targetOf(address: Exclude<RedisAddress, { kind: 'cluster' }>): Options {
  if (address.kind === 'single') {
    return { ...address.nodes[0], db: address.db }
  }
  const { nodes, name, db, sentinelUsername, sentinelPassword, isEncrypted } = address
  return {
    sentinels: nodes.map((node) => ({ ...node })),
    name,
    db,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(isEncrypted ? { enableTLSForSentinelMode: true } : {}),
  }
}

async function connect(client: RedisClient): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let last: Error | undefined
  const onError = (error: Error) => {
    last = error
    if (FINAL.test(reasonOf(error))) {
      reject(error)
    }
  }
  const timer = setTimeout(() => reject(last ?? new Error('no answer')), FIRST_CONNECTION_MS)
  client.on('error', onError)
  client.once('ready', resolve)
  client.connect().catch((error: unknown) => {
    // It goes on trying, and tells by its events how that ends.
    last ??= error instanceof Error ? error : undefined
  })
  try {
    await promise
  } finally {
    clearTimeout(timer)
    client.off('error', onError)
    client.off('ready', resolve)
  }
}

/** A cluster hides what its nodes said behind "Failed to refresh slots cache". */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) {
    return error.errors.map(reasonOf).join(', ')
  }
  const node = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : undefined
  if (node !== undefined) {
    return reasonOf(node)
  }
  return error instanceof Error ? error.message : String(error)
}
