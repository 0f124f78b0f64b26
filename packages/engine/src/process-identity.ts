import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/*
 * Who holds a lease, in words that another process on the same machine can check: host, boot and process namespace
 * say whether its process ids mean anything here, and the start time tells a process from a later one of the same id.
 */

/** The identity of this process. */
export function ownIdentity(): string {
  return `${place()}/${process.pid}/${startTime(process.pid) ?? 0}`
}

/** True only when it is certain that the process is no more. */
export function isDeadProcess(identity: string): boolean {
  const [pidText, started] = identity.split('/').slice(-2)
  const pid = Number(pidText)
  if (identity.split('/').slice(0, -2).join('/') !== place() || !Number.isInteger(pid) || pid <= 0) {
    return false
  }
  try {
    process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH'
  }
  const now = startTime(pid)
  return now !== undefined && started !== '0' && String(now) !== started
}

function place(): string {
  return [hostname(), read('/proc/sys/kernel/random/boot_id') ?? '-', link('/proc/self/ns/pid') ?? '-'].join('/')
}

/** Clock ticks since boot at which a process was started: field 22 of its stat, counted behind the name in brackets. */
function startTime(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
}

/** Only Linux has these files; elsewhere the parts stay empty. */
function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return undefined
  }
}

function link(file: string): string | undefined {
  try {
    return readlinkSync(file)
  } catch {
    return undefined
  }
}
