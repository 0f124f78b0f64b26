import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withClient } from '@wombat/database'
import { joinEmbeddedPostgres } from '@wombat/embedded'
import type { Part } from './part.ts'

export interface Postgres extends AsyncDisposable {
  readonly url: string
  /** Undefined where it is somebody else's. */
  readonly part: Part | undefined
}

const BACK_MS = 120_000
const POLL_MS = 25

/** An embedded one below the directory, durable, or the one at `url`, which is left alone. */
export async function openPostgres(options: {
  directory: string
  url: string | undefined
  report: (text: string) => void
}): Promise<Postgres> {
  const { directory, url, report } = options
  if (url !== undefined) {
    await withClient(url, (client) => client.query('SELECT 1'))
    return { url, part: undefined, async [Symbol.asyncDispose]() {} }
  }
  const dataDir = path.join(directory, 'postgres')
  const embedded = await joinEmbeddedPostgres({ dataDir, purpose: 'local cluster' })
  // It watches over its server as the other parts are watched over, so an end is followed by a start.
  embedded.watch((error) => error !== undefined && report(`postgres does not start again: ${String(error)}`))
  let pid = await readPid(dataDir)
  const end = async (signal: NodeJS.Signals) => {
    pid = await readPid(dataDir)
    process.kill(pid, signal)
    await until(async () => !isAlive(pid))
  }
  const start = async () => {
    await until(() => answers(embedded.url))
    pid = await readPid(dataDir)
  }
  // The signal of a fast stop: after a SIGTERM it would wait until its clients go away by themselves.
  const stop = () => end('SIGINT')
  const part: Part = {
    name: 'postgres',
    description: `PostgreSQL 18, ${embedded.socketDir}`,
    get pid() {
      return pid
    },
    start,
    stop,
    kill: () => end('SIGKILL'),
    async restart() {
      await stop()
      await start()
    },
  }
  return { url: embedded.url, part, [Symbol.asyncDispose]: () => embedded.leave() }
}

async function readPid(dataDir: string): Promise<number> {
  const text = await readFile(path.join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  if (!(pid > 1)) {
    throw new Error(`PostgreSQL does not run in ${dataDir}.`)
  }
  return pid
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    // ESRCH: there is no such process.
    return false
  }
}

async function answers(url: string): Promise<boolean> {
  return await withClient(url, (client) => client.query('SELECT 1')).then(
    () => true,
    () => false,
  )
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + BACK_MS
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`PostgreSQL does not do what it was told within ${BACK_MS / 1000} s.`)
    }
    await sleep(POLL_MS)
  }
}
