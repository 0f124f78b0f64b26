import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { errorCode, unlessOutOfFiles } from './error-code.ts'

/** A process for all time: a number is given to another process later, number and start are not. */
export interface ProcessIdentity {
  readonly pid: number
  readonly started: string
}

/** Stands for a start that the system does not tell us, and agrees with every other. */
const UNKNOWN = 'unknown'

const PS_ENV = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Who has this number now, or undefined when nobody has, or only a dead process that its parent has not reaped. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  if (!hasProcess(pid)) {
    return undefined
  }
  const started = process.platform === 'linux' ? await readLinuxStart(pid) : await readStart(pid)
  return started === undefined ? undefined : { pid, started }
}

/** In doubt it says true: a server too many is better than one that is stopped under its users. */
export async function isAlive(recorded: ProcessIdentity): Promise<boolean> {
  const current = await identifyProcess(recorded.pid)
  return (
    current !== undefined &&
    (current.started === recorded.started || current.started === UNKNOWN || recorded.started === UNKNOWN)
  )
}

/** The arguments in one string; empty when the process is gone or is a zombie. */
export async function readCommandLine(pid: number): Promise<string> {
  if (process.platform !== 'linux') {
    return await runPs(pid, ['command='])
  }
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(unlessOutOfFiles(''))
  return text.replaceAll('\0', ' ')
}

/** True for a zombie as well. */
export function hasProcess(pid: number): boolean {
  if (!(Number.isSafeInteger(pid) && pid > 0)) {
    return false
  }
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

async function readLinuxStart(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) {
    // It has ended since we asked, or /proc hides the processes of others.
    return hasProcess(pid) ? UNKNOWN : undefined
  }
  // The name may hold spaces and parentheses; what follows the last one is the state, and 19 fields on the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') {
    return undefined
  }
  // The start is counted from the boot, so that it says little without it.
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  return `${fields[19]} ${boot.trim()}`
}

async function readStart(pid: number): Promise<string | undefined> {
  const line = await runPs(pid, ['stat=', 'lstart='])
  if (line === '') {
    return hasProcess(pid) ? UNKNOWN : undefined
  }
  return line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '')
}

/** Each column in an option of its own, where the empty title after its = does not swallow the next one. */
function runPs(pid: number, columns: readonly string[]): Promise<string> {
  const args = [...columns.flatMap((column) => ['-o', column]), '-p', String(pid)]
  return new Promise((resolve) => {
    execFile('ps', args, { env: PS_ENV }, (error, stdout) => {
      resolve(error === null ? stdout.trim() : '')
    })
  })
}
