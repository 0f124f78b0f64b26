import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** A part of the cluster that can be taken away and comes back. */
export interface Part {
  readonly name: string
  /** What it is and where. */
  readonly description: string
  readonly pid: number | undefined
  /** Until it does its work. */
  start(): Promise<void>
  /** Tells it to stop and waits until it is gone. */
  stop(): Promise<void>
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
  /** As an operator restarts it, until it does its work again. */
  restart(): Promise<void>
}

export interface Plan {
  readonly name: string
  readonly description: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly logFile: string
  readonly isReady: () => Promise<boolean>
  /** SIGTERM unless given. */
  readonly stopSignal?: NodeJS.Signals
  /** Its processes read the configuration anew and go on: for what needs no stop. */
  readonly reloadSignal?: NodeJS.Signals
  /** Node ends with us then, whatever happens to us. */
  readonly isNode: boolean
}

const READY_MS = 120_000
const STOP_MS = 60_000
const POLL_MS = 25
/** Between the end of a process that nobody ended and its next start. */
const PAUSE_MS = 500

/** A process that is started again when it ends by itself, which is reported. */
export function createPart(plan: Plan, report: (text: string) => void): Part {
  let child: ChildProcess | undefined
  let isWanted = false

  async function launch(): Promise<ChildProcess> {
    await using log = await open(plan.logFile, 'a')
    const launched = spawn(plan.command, [...plan.args], {
      // A group of its own: Ctrl-C in a terminal reaches us alone, and its children can be killed with it.
      detached: true,
      env: { PATH: process.env.PATH ?? '', ...plan.env },
      stdio: plan.isNode ? ['ignore', log.fd, log.fd, 'ipc'] : ['ignore', log.fd, log.fd],
    })
    await Promise.race([once(launched, 'spawn'), once(launched, 'error').then(([error]) => Promise.reject(error))])
    child = launched
    launched.once('exit', (code, signal) => {
      if (isWanted && child === launched) {
        report(
          `${plan.name} has ended by itself (${signal ?? `code ${code}`}), and is started again: see ${plan.logFile}`,
        )
        void comeBack()
      }
    })
    return launched
  }
  async function comeBack() {
    await sleep(PAUSE_MS)
    if (isWanted) {
      await launch()
    }
  }
  async function start() {
    isWanted = true
    await launch()
    const deadline = performance.now() + READY_MS
    while (!(await plan.isReady())) {
      if (performance.now() > deadline) {
        throw new Error(`${plan.name} is not ready after ${READY_MS / 1000} s: see ${plan.logFile}`)
      }
      await sleep(POLL_MS)
    }
  }
  async function end(signal: NodeJS.Signals) {
    isWanted = false
    if (child?.pid === undefined || !isRunning(child)) {
      return
    }
    const exited = once(child, 'exit')
    const cut = setTimeout(() => {
      report(`${plan.name} did not stop within ${STOP_MS / 1000} s, and is killed`)
      killGroup(child)
    }, STOP_MS)
    if (signal === 'SIGKILL') {
      killGroup(child)
    } else {
      child.kill(signal)
    }
    await exited
    clearTimeout(cut)
  }
  const stop = () => end(plan.stopSignal ?? 'SIGTERM')
  return {
    name: plan.name,
    description: plan.description,
    get pid() {
      return child?.pid
    },
    start,
    stop,
    kill: () => end('SIGKILL'),
    async restart() {
      if (plan.reloadSignal === undefined) {
        await stop()
        await start()
      } else {
        child?.kill(plan.reloadSignal)
      }
    },
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

function killGroup(child: ChildProcess | undefined): void {
  if (child?.pid !== undefined) {
    process.kill(-child.pid, 'SIGKILL')
  }
}

/** Whether a GET of a health page is answered with 200. */
export async function isHealthy(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    // Not there yet, or not any more.
    return false
  }
}
