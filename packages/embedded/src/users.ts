import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { identifyProcess, isAlive } from './living-process.ts'

/** A process that uses the server of a data directory. */
export interface User {
  readonly pid: number
  readonly started: string
  /** Such as `start` or `account create`: for people who look at the file. */
  readonly purpose: string
  /** Where it looks for the server, also after a restart. */
  readonly socketDir: string
}

/** Makes this process a user, and returns the file that says so. Call it under the mutex, like all of this file. */
export async function registerUser(usersDir: string, options: { purpose: string; socketDir: string }): Promise<string> {
  const started = (await identifyProcess(process.pid))?.started ?? ''
  const user: User = { pid: process.pid, started, ...options }
  await mkdir(usersDir, { recursive: true })
  // A process may join twice, and each time it leaves is one of these.
  const file = path.join(usersDir, `${process.pid}-${randomBytes(4).toString('hex')}.json`)
  await writeFile(file, `${JSON.stringify(user)}\n`)
  return file
}

/** The users that live; what the dead left behind is removed. */
export async function findLivingUsers(usersDir: string): Promise<User[]> {
  await mkdir(usersDir, { recursive: true })
  const living: User[] = []
  for (const name of await readdir(usersDir)) {
    const file = path.join(usersDir, name)
    const user = parseUser(await readFile(file, 'utf8'))
    if (user !== undefined && (await isAlive(user))) {
      living.push(user)
    } else {
      await rm(file, { force: true })
    }
  }
  return living
}

/** Undefined for half a file, which a process leaves that is killed while it writes. */
function parseUser(text: string): User | undefined {
  try {
    const { pid, started, purpose, socketDir } = JSON.parse(text)
    const isWhole = Number.isSafeInteger(pid) && [started, purpose, socketDir].every((each) => typeof each === 'string')
    return isWhole ? { pid, started, purpose, socketDir } : undefined
  } catch {
    // Not JSON: see above.
    return undefined
  }
}
