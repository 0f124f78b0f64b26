import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { BenchOptions } from './options.ts'
import { median } from './rounds.ts'
import { atMost, printTable, type Row } from './table.ts'

const COMMAND = fileURLToPath(new URL('../apps/cli/bin/wombat.js', import.meta.url))
const ASK_EVERY_MS = 10
const SETTLE_MS = 3_000

/** `wombat start` as a user runs it, with the embedded PostgreSQL: first start, later starts, stop, memory at rest. */
export async function benchRestart(options: BenchOptions): Promise<void> {
  const dataDir = await realpath(await mkdtemp(path.join(tmpdir(), 'wombat-bench-')))
  await chmod(dataDir, 0o711)
  try {
    const first = await run(dataDir)
    const later = []
    for (let round = 0; round < options.rounds; round += 1) {
      later.push(await run(dataDir))
    }
    const rows: Row[] = [
      { what: 'first start to ready, initdb included', figure: first.readyMs / 1000, unit: 's' },
      {
        what: 'later start to ready',
        figure: median(later.map(({ readyMs }) => readyMs)) / 1000,
        unit: 's',
        goals: { project: atMost(2), issue: atMost(2) },
      },
      {
        what: 'SIGINT to the end',
        figure: median(later.map(({ stopMs }) => stopMs)) / 1000,
        unit: 's',
        goals: { issue: atMost(5) },
      },
      {
        what: 'memory at rest, without PostgreSQL',
        figure: median(later.map(({ rssMb }) => rssMb)),
        unit: 'MB',
        goals: { project: atMost(200) },
      },
    ]
    printTable('Start and stop', rows)
  } finally {
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
}

interface Run {
  readonly readyMs: number
  readonly stopMs: number
  readonly rssMb: number
}

async function run(dataDir: string): Promise<Run> {
  const port = await freePort()
  const startedMs = performance.now()
  const child = spawn(process.execPath, ['--max-semi-space-size=16', COMMAND, 'start'], {
    env: { PATH: process.env.PATH ?? '', HOME: dataDir, DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(child, 'exit')
  try {
    await untilReady(child, `http://127.0.0.1:${port}/health/ready`)
    const readyMs = performance.now() - startedMs
    await sleep(SETTLE_MS)
    const rssMb = residentMb(child.pid ?? 0)
    const stoppedMs = performance.now()
    child.kill('SIGINT')
    await exited
    return { readyMs, stopMs: performance.now() - stoppedMs, rssMb }
  } finally {
    child.kill('SIGKILL')
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok === true) {
      return
    }
    await sleep(ASK_EVERY_MS)
  }
  throw new Error('the server ended before it was ready')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return address !== null && typeof address === 'object' ? address.port : 0
}

/** Only Linux tells. */
function residentMb(pid: number): number {
  if (process.platform !== 'linux') {
    return Number.NaN
  }
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
