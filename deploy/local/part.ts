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
/** Who ends so often before it is ready won't be. */
const MOST_ENDS = 5

/** A process that is started again when it ends by itself, which is reported. */
export function createPart(plan: Plan, report: (text: string) => void): Part {
  const life = openLife(plan, report)

  async function start() {
    life.isWanted = true
    life.ends = 0
    await life.launch()
    const deadline = performance.now() + READY_MS
    while (!(await plan.isReady())) {
      if (life.ends > MOST_ENDS || performance.now() > deadline) {
        throw new Error(`${plan.name} does not get ready: see ${plan.logFile}`)
      }
      await sleep(POLL_MS)
    }
    life.ends = 0
  }
  async function end(signal: NodeJS.Signals) {
    life.isWanted = false
    const { child } = life
    if (child === undefined || !isRunning(child)) {
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
      return life.child?.pid
    },
    start,
    stop,
    kill: () => end('SIGKILL'),
    async restart() {
      if (plan.reloadSignal === undefined) {
        await stop()
        await start()
      } else {
        life.child?.kill(plan.reloadSignal)
      }
    },
  }
}

interface Life {
  child: ChildProcess | undefined
  isWanted: boolean
  /** How often it has ended by itself since it was ready. */
  ends: number
  launch(): Promise<void>
}

function openLife(plan: Plan, report: (text: string) => void): Life {
  const life: Life = { child: undefined, isWanted: false, ends: 0, launch }

  async function launch() {
    await using log = await open(plan.logFile, 'a')
    const child = spawn(plan.command, [...plan.args], {
      // A group of its own: Ctrl-C in a terminal reaches us alone, and its children can be killed with it.
      detached: true,
      env: { PATH: process.env.PATH ?? '', ...plan.env },
      stdio: plan.isNode ? ['ignore', log.fd, log.fd, 'ipc'] : ['ignore', log.fd, log.fd],
    })
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))])
    life.child = child
    child.once('exit', (code, signal) => {
      if (life.isWanted && life.child === child) {
        life.ends += 1
        report(
          `${plan.name} has ended by itself (${signal ?? `code ${code}`}), and is started again: see ${plan.logFile}`,
        )
        comeBack().catch((error: unknown) => report(`${plan.name} can't be started again: ${String(error)}`))
      }
    })
  }
  async function comeBack() {
    await sleep(PAUSE_MS)
    if (life.isWanted && life.ends > MOST_ENDS) {
      report(`${plan.name} has ended ${life.ends} times in a row, and is left alone`)
    } else if (life.isWanted) {
      await launch()
    }
  }
  return life
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

function killGroup(child: ChildProcess): void {
  if (child.pid !== undefined) {
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
