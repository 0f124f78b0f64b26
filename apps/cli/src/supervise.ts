export interface Supervision {
  /** How long the work may take to end after the first signal. */
  readonly graceMs: number
  /** Told of errors that nobody caught. The work is stopped then. */
  readonly onFault: (error: unknown) => void
}

export interface Supervised<T> {
  readonly value: T
  /** What told it to stop, if anything did before it ended. */
  readonly stoppedBy: NodeJS.Signals | 'fault' | undefined
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** npm and bin/wombat.js pass on a Ctrl-C that the terminal has sent to everyone already: twice within this is once. */
const SAME_SIGNAL_MS = 300

const WATCH_PARENT_MS = 100

/**
 * Runs work that ends when its signal aborts: at the first signal of the system, or an error that nobody caught. A
 * second signal, or work that doesn't end in time, ends the process at once.
 */
export async function supervise<T>(
  supervision: Supervision,
  work: (stop: AbortSignal) => Promise<T>,
): Promise<Supervised<T>> {
  const { graceMs, onFault } = supervision
  const stopping = new AbortController()
  let stoppedBy: NodeJS.Signals | 'fault' | undefined
  let stoppedAtMs = 0
  let deadline: NodeJS.Timeout | undefined

  function stop(reason: NodeJS.Signals | 'fault') {
    stoppedBy = reason
    stoppedAtMs = performance.now()
    deadline = setTimeout(() => {
      process.stderr.write(`wombat: it did not end within ${graceMs / 1000} s, so it was cut off\n`)
      process.exit(1)
    }, graceMs)
    stopping.abort()
  }
  function onSignal(signal: NodeJS.Signals) {
    if (stoppedBy === undefined) {
      stop(signal)
    } else if (performance.now() - stoppedAtMs > SAME_SIGNAL_MS) {
      process.exit(1)
    }
  }
  function onError(error: unknown) {
    onFault(error)
    if (stoppedBy === undefined) {
      stop('fault')
    }
  }

  const orphans = watchParent(() => stoppedBy ?? stop('SIGTERM'))
  for (const signal of SIGNALS) {
    process.on(signal, onSignal)
  }
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
  try {
    return { value: await work(stopping.signal), stoppedBy }
  } finally {
    clearTimeout(deadline)
    clearInterval(orphans)
    for (const signal of SIGNALS) {
      process.off(signal, onSignal)
    }
    process.off('uncaughtException', onError)
    process.off('unhandledRejection', onError)
  }
}

/**
 * npm sends its signals to a shell, which dies of them and hands nothing on: then we are orphans whom nobody would stop.
 * Undefined when npm did not call us, and a change of parents says nothing.
 */
function watchParent(onOrphaned: () => void): NodeJS.Timeout | undefined {
  const parent = process.ppid
  if (process.env.npm_lifecycle_event === undefined) {
    return undefined
  }
  return setInterval(() => {
    if (process.ppid !== parent) {
      onOrphaned()
    }
  }, WATCH_PARENT_MS)
}
