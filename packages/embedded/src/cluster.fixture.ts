import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { identifyProcess } from './living-process.ts'
import { countRows } from './sql.ts'

const JOIN_FIXTURE = fileURLToPath(new URL('./join.fixture.ts', import.meta.url))

export interface Place extends AsyncDisposable {
  readonly dataDir: string
  readonly clusterDir: string
  readonly children: ChildProcess[]
}

/** An empty data directory. What a failed test left running in it is killed at the end. */
export async function makeDataDir(): Promise<Place> {
  const parent = await realpath(await mkdtemp(path.join(tmpdir(), 'wombat-test-')))
  // As root the server runs as another user, who has to pass through here.
  await chmod(parent, 0o711)
  const dataDir = path.join(parent, 'data')
  const children: ChildProcess[] = []
  return {
    dataDir,
    clusterDir: path.join(dataDir, 'postgres'),
    children,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(children.map(killChild))
      const { pid, socketDir } = await readPidFile(dataDir)
      if (pid > 0 && (await identifyProcess(pid)) !== undefined) {
        process.kill(pid, 'SIGQUIT')
        await waitFor(async () => (await identifyProcess(pid)) === undefined)
      }
      await rm(socketDir, { recursive: true, force: true })
      await rm(parent, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Starts a process that joins, without waiting until it has. */
export function spawnJoin({ dataDir, children }: Place, env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [JOIN_FIXTURE, dataDir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin', ...env },
  })
  children.push(child)
  return child
}

/** A process that has joined. */
export async function joinInProcess(place: Place, env: NodeJS.ProcessEnv = {}) {
  const child = spawnJoin(place, env)
  assert.ok(child.stdout !== null && child.stdin !== null)
  const { stdin } = child
  const lines = createInterface(child.stdout)
  const line: unknown[] = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => [])])
  const [socketDir] = line
  assert.ok(typeof socketDir === 'string', 'the process ended before it had joined')
  return {
    socketDir,
    leave: async () => {
      stdin.end()
      assert.deepEqual(await once(child, 'exit'), [0, null])
    },
    kill: () => killChild(child),
  }
}

export async function killChild(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
}

export async function answers(socketDir: string): Promise<boolean> {
  return await countRows('SELECT FROM generate_series(1, 3)', { socketDir, database: 'wombat' }).then(
    (rows) => rows === 3,
    () => false,
  )
}

/** The pid that postmaster.pid has, whoever that is now; undefined after a stop. */
export async function readPostmasterPid(dataDir: string): Promise<number | undefined> {
  const { pid } = await readPidFile(dataDir)
  return pid > 0 ? pid : undefined
}

async function readPidFile(dataDir: string): Promise<{ pid: number; socketDir: string }> {
  const text = await readFile(path.join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '')
  const [pid = '', , , , socketDir = ''] = text.split('\n')
  return { pid: Number.parseInt(pid, 10), socketDir: socketDir || path.join(dataDir, 'no-socket') }
}

export async function countUsers(dataDir: string): Promise<number> {
  return (await readdir(path.join(dataDir, 'postgres.users'))).length
}

export async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined
}

export async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'waited in vain')
    await sleep(5)
  }
}
