import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createTemporaryDirectory } from './temporary-directory.ts'
import { until } from './until.ts'

export interface TestRedis {
  /** redis://127.0.0.1:PORT */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Sends one command and answers Redis's reply as it comes, such as `+OK`. */
  command(...words: string[]): Promise<string>
  /** Forgets everything, or what is in one of its databases. */
  flush(database?: number): Promise<void>
  /** Ends the process, with SIGKILL unless told otherwise, and waits until it is gone. What it held is lost. */
  stop(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Starts it again on the same port. */
  start(): Promise<void>
  /** Suspends the process: connections stay and nothing answers. */
  freeze(): void
  thaw(): void
  [Symbol.asyncDispose](): Promise<void>
}

export interface RedisFixtureOptions {
  /** Further arguments, such as `--maxmemory-policy`, `allkeys-lru`. */
  readonly args?: readonly string[]
  /** A configuration of one's own, which Redis may write to. */
  readonly file?: string
  /** A sentinel, which keeps no data. */
  readonly isSentinel?: boolean
}

/** They end when this process does. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) {
    child.kill('SIGKILL')
  }
})

const PROGRAM = process.env.WOMBAT_TEST_REDIS_SERVER ?? 'redis-server'

/** Starts a real Redis on a free port of 127.0.0.1 that writes nothing to a disk. Throws when there is none on this machine. */
export async function startRedis({
  args = [],
  file,
  isSentinel = false,
}: RedisFixtureOptions = {}): Promise<TestRedis> {
  const directory = await createTemporaryDirectory()
  const port = await freePort()
  const launch = async () => {
    const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory.path]
    const kind = isSentinel ? ['--sentinel'] : ['--save', '', '--appendonly', 'no', '--maxmemory-policy', 'noeviction']
    const child = await launchRedis([...(file === undefined ? [] : [file]), ...options, ...kind, ...args])
    const isUp = () =>
      sendCommand(port, ['PING']).then(
        (reply) => /^(\+|-NOAUTH)/.test(reply),
        () => false,
      )
    await until(isUp, { what: `redis-server answers at port ${port}` }).catch((error: unknown) => {
      child.kill('SIGKILL')
      throw error
    })
    return child
  }
  let child = await launch()
  const end = async (signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit')
      child.kill(signal)
      await exit
    }
  }
  const command = (...words: string[]) => sendCommand(port, words)
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child.pid ?? 0
    },
    command,
    async flush(database) {
      await (database === undefined
        ? command('FLUSHALL')
        : sendCommand(port, ['SELECT', String(database)], ['FLUSHDB']))
    },
    stop: end,
    async start() {
      child = await launch()
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGCONT')
      await end()
      await directory[Symbol.asyncDispose]()
    },
  }
}

async function launchRedis(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(PROGRAM, [...args], { stdio: ['ignore', 'ignore', 'inherit'] })
  const failed = once(child, 'error').then(([error]) => {
    throw new Error(`${PROGRAM} can't be started: install the package redis-server`, { cause: error })
  })
  await Promise.race([once(child, 'spawn'), failed])
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}

/** One connection for what is asked: Redis answers, then sees that we have ended and closes it. */
async function sendCommand(port: number, ...commands: (readonly string[])[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1')
  socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')))
  socket.end(commands.map(encode).join(''))
  const chunks: Buffer[] = []
  for await (const chunk of socket) {
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString().replace(/\r\n$/, '')
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}
