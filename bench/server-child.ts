/*
 * The server as a process of its own, so that its memory and processor time are its own. Started by rig.ts, which talks
 * to it over Node's channel between processes; when that breaks, its parent is gone and it ends.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createLogger, readConfig } from '@wombat/engine'
import { runWombat } from '@wombat/server'

export type ServerCommand = 'stop' | 'use'

export interface ServerUse {
  readonly rssBytes: number
  readonly cpuMs: number
}

export type ServerAnswer =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'use'; readonly use: ServerUse }

const config = readConfig(process.env)
const log = await createLogger({ level: config.LOG_LEVEL, format: 'json' })
const running = await runWombat(config, {
  databaseUrl: config.DATABASE_URL ?? '',
  dataDir: config.DATA_DIR,
  role: process.env.WOMBAT_BENCH_ROLE === 'all' ? 'all' : 'api',
  log,
})
process.on('message', (command: ServerCommand) => {
  void (command === 'stop' ? stop() : tellUse())
})
process.on('disconnect', () => process.exit(1))
send({ kind: 'ready', url: running.url ?? '' })

async function stop() {
  await running.stop()
  // Not process.exit from elsewhere: a CPU profile is written when the process ends by itself or in this way.
  process.exit(0)
}

async function tellUse() {
  for (let times = 0; times < 3; times += 1) {
    globalThis.gc?.()
    await sleep(50)
  }
  const { user, system } = process.cpuUsage()
  send({ kind: 'use', use: { rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000 } })
}

function send(answer: ServerAnswer) {
  process.send?.(answer)
}
