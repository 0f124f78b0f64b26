import { readFile, readlink, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Binaries, removeOldCopies } from './binaries.ts'
import { writeSettings } from './cluster.ts'
import { unlessOutOfFiles } from './error-code.ts'
import { hasProcess, identifyProcess, readCommandLine } from './living-process.ts'
import { findNewestLog, readTail, tidyLog } from './log.ts'
import { run } from './run.ts'
import type { ServerUser } from './server-user.ts'
import { clearSocketDirectory, ensureSocketDirectory, hasSocket, removeSocketDirectory } from './socket-directory.ts'

/** What it takes to start and stop the server of one cluster. */
export interface Server {
  readonly clusterDir: string
  readonly binaries: Binaries
  readonly user: ServerUser
  readonly durable: boolean
}

interface Postmaster {
  readonly pid: number
  readonly socketDir: string
  readonly status: string
}

/** Longer than a recovery after a crash takes: max_wal_size bounds it. */
const START_TIMEOUT_S = 120
const STOP_TIMEOUT_S = 60

const POLL_MS = 20

/** Adopts the server that runs, or starts one; returns where its socket is. Call it under the mutex, like stopServer. */
export async function ensureServer(server: Server, preferredSocketDir: string): Promise<string> {
  const running = await findSettledPostmaster(server.clusterDir)
  if (running === undefined) {
    await start(server, preferredSocketDir)
    return preferredSocketDir
  }
  if (!(await hasSocket(running.socketDir))) {
    // Something cleaned the temporary directory: nobody can reach this server again, and only a start makes a socket.
    await assertSameView(running, server)
    await stopServer(server)
    await start(server, running.socketDir)
  }
  return running.socketDir
}

/** Whether its process is there, in whatever state. */
export async function isRunning({ clusterDir }: Server): Promise<boolean> {
  return (await findPostmaster(clusterDir)) !== undefined
}

/** Ends the sessions that are left, writes a checkpoint and stops; nothing to do when it does not run. */
export async function stopServer(server: Server): Promise<void> {
  const running = await findSettledPostmaster(server.clusterDir)
  if (running === undefined) {
    return
  }
  const args = ['-D', server.clusterDir, '-m', 'fast', '-w', '-t', String(STOP_TIMEOUT_S), 'stop']
  const { code, output } = await run(server.binaries.pgCtl, args, {
    user: server.user,
    timeoutMs: (STOP_TIMEOUT_S + 10) * 1000,
  })
  if (code !== 0 && (await findPostmaster(server.clusterDir)) !== undefined) {
    throw new Error(`PostgreSQL does not stop in ${server.clusterDir}: ${output}`)
  }
  await removeSocketDirectory(running.socketDir)
}

async function start(server: Server, socketDir: string): Promise<void> {
  const { clusterDir, binaries, user } = server
  await removeForeignPid(clusterDir)
  await ensureSocketDirectory(socketDir, user)
  await clearSocketDirectory(socketDir)
  await removeOldCopies(path.dirname(clusterDir), binaries)
  await tidyLog(clusterDir, { now: Date.now() })
  await writeSettings(clusterDir, { ...server, socketDir })
  const startLog = path.join(clusterDir, 'start.log')
  await rm(startLog, { force: true })
  const args = ['-D', clusterDir, '-l', startLog, '-w', '-t', String(START_TIMEOUT_S), 'start']
  const { code, output } = await run(binaries.pgCtl, args, { user, timeoutMs: (START_TIMEOUT_S + 10) * 1000 })
  if (code !== 0) {
    const reasons = [output, await readTail(startLog), await readTail(await findNewestLog(clusterDir))]
    throw new Error(`PostgreSQL does not start in ${clusterDir}: ${reasons.join('\n').trim()}`)
  }
}

/** The server that accepts connections, after a start or stop under way has ended; undefined when none runs. */
async function findSettledPostmaster(clusterDir: string): Promise<Postmaster | undefined> {
  const deadline = performance.now() + START_TIMEOUT_S * 1000
  for (;;) {
    const found = await findPostmaster(clusterDir)
    if (found === undefined || found.status === 'ready') {
      return found
    }
    if (performance.now() > deadline) {
      throw new Error(
        `PostgreSQL (pid ${found.pid}) has been ${found.status || 'starting'} in ${clusterDir} for ${START_TIMEOUT_S} s: see its log directory.`,
      )
    }
    await sleep(POLL_MS)
  }
}

/** What postmaster.pid says, if the process it names is really the server of this cluster. */
async function findPostmaster(clusterDir: string): Promise<Postmaster | undefined> {
  const text = await readFile(pidFile(clusterDir), 'utf8').catch(unlessOutOfFiles(''))
  const [pidLine = '', , , , socketDir = '', , , status = ''] = text.split('\n')
  const pid = Number.parseInt(pidLine, 10)
  const isServer =
    (await identifyProcess(pid)) !== undefined &&
    `${await readCommandLine(pid)} `.includes(`postgres -D ${clusterDir} `)
  return isServer ? { pid, socketDir, status: status.trim() } : undefined
}

/**
 * PostgreSQL discards the file of a dead server itself, after it has looked for that server's children; but takes any
 * process that has the pid now, and a zombie, for the server.
 */
async function removeForeignPid(clusterDir: string): Promise<void> {
  const pid = Number.parseInt(await readFile(pidFile(clusterDir), 'utf8').catch(unlessOutOfFiles('')), 10)
  if (hasProcess(pid) && (await findPostmaster(clusterDir)) === undefined) {
    await rm(pidFile(clusterDir), { force: true })
  }
}

/** Where /tmp is another directory for the server than for us, its socket is not lost, and a restart would hurt. */
async function assertSameView({ pid, socketDir }: Postmaster, { clusterDir }: Server): Promise<void> {
  const theirs = await readlink(`/proc/${pid}/ns/mnt`).catch(() => undefined)
  const ours = await readlink('/proc/self/ns/mnt').catch(() => undefined)
  if (theirs !== undefined && ours !== undefined && theirs !== ours) {
    throw new Error(
      `PostgreSQL runs in ${clusterDir}, with its socket in a ${socketDir} that this process does not see (PrivateTmp of systemd, or a container). Run this command there.`,
    )
  }
}

function pidFile(clusterDir: string): string {
  return path.join(clusterDir, 'postmaster.pid')
}
