import { mkdir, realpath, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { prepareBinaries } from './binaries.ts'
import { ensureCluster } from './cluster.ts'
import { acquireMutex } from './mutex.ts'
import { ensureServer, isRunning, type Server, stopServer } from './server.ts'
import { chooseServerUser } from './server-user.ts'
import { chooseSocketDirectory } from './socket-directory.ts'
import { countRows, ROLE } from './sql.ts'
import { findLivingUsers, registerUser } from './users.ts'

export interface EmbeddedPostgres {
  /** For pg and everything above it, over a Unix socket. */
  readonly url: string
  readonly socketDir: string
  /**
   * Looks every two seconds whether the server still runs, until `leave`, and starts it again when something has killed it.
   * Calls back after each such start, with the error when it failed.
   */
  watch(onRestart: (error: unknown) => void): void
  /** Stops the server if no other living process uses it. Close connections before; calling it again is harmless. */
  leave(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface JoinOptions {
  readonly dataDir: string
  /** What the process does, such as `start` or `account create`. */
  readonly purpose: string
  /** False only for throw-away clusters, which may lose everything when the machine stops. */
  readonly durable?: boolean
  readonly database?: string
}

/** Longer than the holder needs for initdb, or for a start with recovery. */
const MUTEX_TIMEOUT_MS = 180_000

const WATCH_MS = 2000

/** How long what may pass by itself is tried again. */
const PERSIST_MS = 3000

const DATABASE_NAME = /^[a-z_][a-z0-9_]{0,62}$/

/** Makes this process a user of the data directory's PostgreSQL, which is made and started when it has to be. */
export async function joinEmbeddedPostgres(options: JoinOptions): Promise<EmbeddedPostgres> {
  const { purpose, durable = true, database = 'wombat' } = options
  if (!DATABASE_NAME.test(database)) {
    throw new Error(`${database} is no name for a database: use lower-case letters, digits and _.`)
  }
  await mkdir(options.dataDir, { recursive: true })
  // One spelling for all processes: the socket's name comes from it, and the server is recognised by it.
  const dataDir = await realpath(options.dataDir)
  const mutexPath = path.join(dataDir, 'postgres.lock')
  const usersDir = path.join(dataDir, 'postgres.users')

  using _mutex = await acquireMutex(mutexPath, { timeoutMs: MUTEX_TIMEOUT_MS })
  const server = await prepareServer(dataDir, durable)
  const [otherUser] = await findLivingUsers(usersDir)
  const preferred = otherUser?.socketDir ?? (await chooseSocketDirectory(server.clusterDir, server.user))
  const socketDir = await persist(async () => {
    const found = await ensureServer(server, preferred)
    await ensureDatabase(database, found)
    return found
  })
  const registration = await registerUser(usersDir, { purpose, socketDir })

  let watching: NodeJS.Timeout | undefined
  let look: Promise<void> | undefined
  const watch = (onRestart: (error: unknown) => void) => {
    watching ??= setInterval(() => {
      look ??= restart(server, { socketDir, mutexPath })
        .then(
          (isRestarted) => isRestarted && onRestart(undefined),
          (error: unknown) => onRestart(error),
        )
        .then(() => {
          look = undefined
        })
    }, WATCH_MS)
  }
  const leaveOnce = async () => {
    clearInterval(watching)
    await look
    using _mutex = await acquireMutex(mutexPath, { timeoutMs: MUTEX_TIMEOUT_MS })
    await rm(registration, { force: true })
    if ((await findLivingUsers(usersDir)).length === 0) {
      await stopServer(server)
    }
  }
  let left: Promise<void> | undefined
  const leave = () => {
    left ??= leaveOnce()
    return left
  }
  return { url: makeUrl(database, socketDir), socketDir, watch, leave, [Symbol.asyncDispose]: leave }
}

/** True: it did not run, and runs now. */
async function restart(server: Server, place: { socketDir: string; mutexPath: string }): Promise<boolean> {
  if (await isRunning(server)) {
    return false
  }
  using _mutex = await acquireMutex(place.mutexPath, { timeoutMs: MUTEX_TIMEOUT_MS })
  if (await isRunning(server)) {
    return false
  }
  await persist(() => ensureServer(server, place.socketDir))
  return true
}

/** After kill -9 of a postmaster its sessions end one by one, and refuse the next one until then. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  let deadline: number | undefined
  for (;;) {
    try {
      return await work()
    } catch (error) {
      deadline ??= performance.now() + PERSIST_MS
      if (performance.now() > deadline) {
        throw error
      }
      await sleep(PERSIST_MS / 20)
    }
  }
}

async function prepareServer(dataDir: string, durable: boolean): Promise<Server> {
  const clusterDir = path.join(dataDir, 'postgres')
  const user = await chooseServerUser(clusterDir)
  const binaries = await prepareBinaries({ dataDir, user })
  await ensureCluster(clusterDir, { binaries, user, durable })
  return { clusterDir, binaries, user, durable }
}

async function ensureDatabase(database: string, socketDir: string): Promise<void> {
  const options = { socketDir, database: 'postgres' }
  if ((await countRows(`SELECT FROM pg_database WHERE datname = '${database}'`, options)) === 0) {
    await countRows(`CREATE DATABASE ${database}`, options)
  }
}

/** Port and sslmode are said because pg would take them from PGPORT and PGSSLMODE otherwise. */
function makeUrl(database: string, socketDir: string): string {
  return `postgresql://${ROLE}@localhost:5432/${database}?host=${encodeURIComponent(socketDir)}&sslmode=disable`
}
