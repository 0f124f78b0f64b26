import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/* For tests: the real `wombat` as a process of its own. */

const BIN = fileURLToPath(new URL('../bin/wombat.js', import.meta.url))

export interface CliOptions {
  /** Where it runs; an empty .env is put there, so that nobody's own settings count. */
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
  /** With a shell in between that hands no signal on, as `npm start` has it. */
  readonly isUnderNpm?: true
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCli extends AsyncDisposable {
  readonly pid: number
  /** Waits for text on standard output and answers all of that until then. */
  until(text: RegExp): Promise<string>
  /** Sends a signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<Finished>
}

export async function runCli(args: readonly string[], options: CliOptions): Promise<Finished> {
  await using cli = await startCli(args, options)
  return await cli.finished
}

export async function startCli(
  args: readonly string[],
  { folder, env = {}, isUnderNpm }: CliOptions,
): Promise<RunningCli & { readonly finished: Promise<Finished> }> {
  await writeFile(path.join(folder, '.env'), '', { flag: 'a' })
  const npm = isUnderNpm === true ? { npm_lifecycle_event: 'start' } : {}
  const [command, before] =
    isUnderNpm === true ? ['sh', ['-c', '"$@"; true', 'sh', process.execPath]] : [process.execPath, []]
  const child = spawn(command, [...before, BIN, ...args], {
    cwd: folder,
    env: { ...ownEnvironment(folder), ...npm, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = once(child, 'close').then((): Finished => ({ code: child.exitCode, stdout, stderr }))
  return {
    pid: child.pid ?? 0,
    finished,
    async until(text) {
      while (!text.test(stdout)) {
        if (isOver(child)) {
          throw new Error(
            `wombat ${args.join(' ')} ended with ${child.exitCode} and without ${text}: ${stdout}${stderr}`,
          )
        }
        await Promise.race([once(child.stdout, 'data'), once(child, 'close')])
      }
      return stdout
    },
    async stop(signal) {
      child.kill(signal)
      return await finished
    },
    async [Symbol.asyncDispose]() {
      if (!isOver(child)) {
        child.kill('SIGTERM')
        await finished
      }
    },
  }
}

/** What a command has of this process's environment, and where it keeps its own. */
export function ownEnvironment(folder: string): Record<string, string> {
  const { PATH = '', TMPDIR = '/tmp' } = process.env
  return { PATH, TMPDIR, HOME: folder, DATA_DIR: path.join(folder, 'data'), ...ownParts() }
}

/** The settings of queue and store in on-redis-and-s3.test.ts, and none otherwise. */
export function ownParts(): Record<string, string> {
  const settings: Record<string, string> = JSON.parse(process.env.WOMBAT_TEST_SETTINGS ?? '{}')
  return settings
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
