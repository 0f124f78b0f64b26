import { createHash } from 'node:crypto'
import { lchown, lstat, mkdir, realpath, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { errorCode } from './error-code.ts'
import { findObstacle, type ServerUser } from './server-user.ts'
import { socketPath } from './sql.ts'

/** Linux has room for 107 bytes in a socket's address, macOS for 103. */
const MAX_SOCKET_PATH_BYTES = 103

/** What PostgreSQL's list of directories and a URL take without quoting. */
const PLAIN_PATH = /^[\w./+-]+$/

/** Outside the data directory, whose path may be too long for a socket. Two data directories never share one. */
export async function chooseSocketDirectory(clusterDir: string, user: ServerUser): Promise<string> {
  const name = `wombat-${createHash('sha256').update(clusterDir).digest('hex').slice(0, 16)}`
  for (const parent of [tmpdir(), '/tmp']) {
    const base = await realpath(parent).catch(() => undefined)
    if (base !== undefined && (await isFit(path.join(base, name), { base, user }))) {
      return path.join(base, name)
    }
  }
  throw new Error(
    `PostgreSQL needs a directory for its socket, and neither ${tmpdir()} nor /tmp serves: check TMPDIR, or set DATABASE_URL.`,
  )
}

/** Makes it when it is not there, and refuses one that somebody else has put in its place. */
export async function ensureSocketDirectory(socketDir: string, user: ServerUser): Promise<void> {
  try {
    await mkdir(socketDir, { mode: 0o700 })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') {
      throw error
    }
  }
  const found = await lstat(socketDir)
  const isOurs = found.uid === user.uid || found.uid === process.getuid?.()
  if (!(found.isDirectory() && isOurs && (found.mode & 0o077) === 0)) {
    throw new Error(`${socketDir} is not a private directory of ${user.name}: look who made it, and remove it.`)
  }
  if (user.isOther) {
    await lchown(socketDir, user.uid, user.gid)
  }
}

export async function hasSocket(socketDir: string): Promise<boolean> {
  return (await lstat(socketPath(socketDir)).catch(() => undefined))?.isSocket() ?? false
}

/** Only while no server runs. A dead server's lock would stop the next one if its pid is somebody else's now. */
export async function clearSocketDirectory(socketDir: string): Promise<void> {
  await rm(socketPath(socketDir), { force: true })
  await rm(`${socketPath(socketDir)}.lock`, { force: true })
}

/** A thing of the temporary directory that nobody needs: it does not matter when it stays. */
export async function removeSocketDirectory(socketDir: string): Promise<void> {
  await rmdir(socketDir).catch(() => {})
}

async function isFit(socketDir: string, { base, user }: { base: string; user: ServerUser }): Promise<boolean> {
  return (
    Buffer.byteLength(socketPath(socketDir)) <= MAX_SOCKET_PATH_BYTES &&
    PLAIN_PATH.test(socketDir) &&
    !(user.isOther && (await findObstacle(base, user)) !== undefined)
  )
}
