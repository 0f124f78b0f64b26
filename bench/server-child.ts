/*
 * The server as a process of its own, so that its memory and processor time are its own. Started by rig.ts, which talks
 * to it over Node's channel between processes; when that breaks, its parent is gone and it ends.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger, readConfig } from '@wombat/engine'
import { runWombat } from '@wombat/server'

export type ServerCommand = 'stop' | 'memory' | 'now'

export type ServerAnswer =
  | { readonly kind: 'ready'; readonly url: string }
  /** Resident bytes after a full collection of garbage. */
  | { readonly kind: 'memory'; readonly rssBytes: number }
  /** Processor time since the start, and how many requests are held. */
  | { readonly kind: 'now'; readonly cpuMs: number; readonly waiters: number }

const config = readConfig(process.env)
const log = await createLogger({ level: config.LOG_LEVEL, format: 'json' })
const running = await runWombat(config, {
  databaseUrl: config.DATABASE_URL ?? '',
  dataDir: config.DATA_DIR,
  role: process.env.WOMBAT_BENCH_ROLE === 'all' ? 'all' : 'api',
  log,
})
const COMMANDS: Readonly<Record<ServerCommand, () => Promise<void>>> = { stop, memory: tellMemory, now: tellNow }
process.on('message', (command: ServerCommand) => {
  void COMMANDS[command]()
})
process.on('disconnect', () => process.exit(1))
send({ kind: 'ready', url: running.url ?? '' })

async function stop() {
  await running.stop()
  // In this way a CPU profile is written, and what a library left open does not matter.
  process.exit(0)
}

async function tellMemory() {
  for (let times = 0; times < 4; times += 1) {
    globalThis.gc?.()
    await sleep(100)
  }
  send({ kind: 'memory', rssBytes: process.memoryUsage.rss() })
}

async function tellNow() {
  const { user, system } = process.cpuUsage()
  send({ kind: 'now', cpuMs: (user + system) / 1000, waiters: running.engine.waiters.size })
}

function send(answer: ServerAnswer) {
  process.send?.(answer)
}
