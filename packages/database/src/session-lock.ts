import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { withClient } from './with-client.ts'

export interface SessionLock {
  readonly isHeld: boolean
  /** Calls off the work, waits for its end, and gives the lock back. */
  close(): Promise<void>
}

export interface SessionLockOptions {
  readonly url: string
  readonly applicationName: string
  /** What the lock is called: any number that nobody else uses. */
  readonly key: number
  /**
   * Runs while the lock is held; `signal` is aborted when it is lost or given back. It must not throw. When it does not end
   * soon after a loss, it may be begun again beside itself.
   */
  readonly work: (signal: AbortSignal) => Promise<void>
  readonly onError: (error: Error) => void
  /** PostgreSQL ends a session that has been silent for this long, whatever holds up its process or the network. */
  readonly silenceMs?: number
}

/** The first of the two numbers of our advisory locks; the migrations have a lock of one number, which is another space. */
const LOCK_SPACE = 0x776f6d62
const SILENCE_MS = 10_000
const RETRY_MS = { first: 100, most: 2_000 }

/**
 * Stands for a lock that one process of all on a database holds: PostgreSQL's advisory lock, on a session of its own. It
 * goes with the session, so at once when the process ends, however it ends, and after ten seconds when it hangs or can't
 * be reached. Only PostgreSQL decides and only its clock counts. A pooler that lends sessions for a transaction each
 * breaks this, as it breaks LISTEN.
 */
export function openSessionLock(options: SessionLockOptions): SessionLock {
  const { silenceMs = SILENCE_MS } = options
  /** How often the holder is heard of, and how often the others ask for the lock. */
  const beatMs = silenceMs / 10
  /** Who gets no answer for this long gives up its session. */
  const answerMs = silenceMs / 2
  const closing = new AbortController()
  /** What was called off and has not ended. */
  const unfinished = new Set<Promise<void>>()
  let isHeld = false

  async function stand() {
    let delayMs = RETRY_MS.first
    while (!closing.signal.aborted) {
      try {
        await useSession(() => {
          delayMs = RETRY_MS.first
        })
      } catch (error) {
        if (!closing.signal.aborted) {
          options.onError(toError(error))
        }
      }
      await pause(delayMs, closing.signal)
      delayMs = Math.min(delayMs * 2, RETRY_MS.most)
    }
  }

  async function useSession(onAnswer: () => void) {
    const client = createClient(options, answerMs)
    const ended = new AbortController()
    let fault: Error | undefined
    client.on('error', (error) => {
      fault = error
      ended.abort()
    })
    client.on('end', () => ended.abort())
    const over = AbortSignal.any([closing.signal, ended.signal])
    let working: Promise<void> = Promise.resolve()
    try {
      await client.connect()
      await client.query(`SET idle_session_timeout = ${silenceMs}`)
      while (!over.aborted) {
        if (isHeld) {
          await client.query('SELECT 1')
        } else if (await tryLock(client, options.key)) {
          isHeld = true
          working = keep(unfinished, options.work(over))
        }
        onAnswer()
        await pause(beatMs, over)
      }
    } finally {
      ended.abort()
      // A lock that was lost is somebody else's, or ours again, long before work that hangs in the network has ended.
      await (closing.signal.aborted ? working : within(working, answerMs))
      isHeld = false
      // On a network that swallows everything the goodbye may have no end; the session ends without it.
      await within(client.end(), answerMs)
    }
    if (fault !== undefined) {
      throw fault
    }
  }

  const standing = stand()
  return {
    get isHeld() {
      return isHeld
    },
    async close() {
      closing.abort()
      await standing
      await Promise.all(unfinished)
    },
  }
}

function createClient({ url, applicationName }: SessionLockOptions, answerMs: number): pg.Client {
  return new pg.Client({
    connectionString: url,
    application_name: applicationName,
    keepAlive: true,
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
  })
}

async function tryLock(client: pg.Client, key: number): Promise<boolean> {
  const { rows } = await client.query<{ is_held: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS is_held', [
    LOCK_SPACE,
    key,
  ])
  return rows[0]?.is_held === true
}

/** Has a promise in the set until it ends. */
function keep(all: Set<Promise<void>>, promise: Promise<void>): Promise<void> {
  const kept = promise.finally(() => all.delete(kept))
  all.add(kept)
  return kept
}

/** Waits no longer than that. What comes of it is nobody's concern. */
async function within(promise: Promise<void>, ms: number): Promise<void> {
  const over = new AbortController()
  await Promise.race([promise.catch(() => {}), pause(ms, over.signal)])
  over.abort()
}

export interface LockHolder {
  readonly processId: number
  /** Where it connected from; undefined on a socket of the machine. */
  readonly address: string | undefined
  readonly since: Date
}

/** Who holds a lock that `openSessionLock` stands for: the database's own number of the session. */
export async function findLockHolder(url: string, key: number): Promise<LockHolder | undefined> {
  const { rows } = await withClient(url, (client) =>
    client.query(
      `SELECT a.pid, host(a.client_addr) AS address, a.backend_start AS since
       FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
       WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $1 AND l.objid = $2
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      [LOCK_SPACE, key],
    ),
  )
  const row: { pid: number; address: string | null; since: Date } | undefined = rows[0]
  return row === undefined ? undefined : { processId: row.pid, address: row.address ?? undefined, since: row.since }
}

/** Ends early, and without an error, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms * (0.9 + Math.random() * 0.2), undefined, { signal }).catch(() => {})
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
