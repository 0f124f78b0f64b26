import { type ChildProcess, fork } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Call, Called } from './command-host.ts'
import { type CliOptions, type Finished, ownEnvironment } from './run-cli.ts'

/* For tests: `wombat` without a process for each command, which takes most of a second to load what it needs. */

const HOST = fileURLToPath(new URL('./command-host.ts', import.meta.url))

interface Host {
  readonly child: ChildProcess
  readonly waiting: Map<number, PromiseWithResolvers<Finished>>
}

/** It ends with this process. */
let host: Host | undefined
let calls = 0

/**
 * What `runCli` answers, from a process that runs one command after another: for all that neither takes signals nor
 * looks at its own process. call-cli.test.ts compares the two.
 */
export async function callCli(
  args: readonly string[],
  { folder, env = {} }: Omit<CliOptions, 'isUnderNpm'>,
): Promise<Finished> {
  await writeFile(path.join(folder, '.env'), '', { flag: 'a' })
  host ??= openHost()
  const { child, waiting } = host
  calls += 1
  const id = calls
  const answer = Promise.withResolvers<Finished>()
  waiting.set(id, answer)
  child.ref()
  child.channel?.ref()
  child.send({ id, args, folder, env: { ...ownEnvironment(folder), ...env } } satisfies Call)
  return await answer.promise
}

function openHost(): Host {
  const child = fork(HOST, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const waiting: Host['waiting'] = new Map()
  child.on('message', (message) => {
    const { id, ...finished } = message as Called // The host sends nothing else.
    waiting.get(id)?.resolve(finished)
    waiting.delete(id)
    if (waiting.size === 0) {
      child.unref()
      child.channel?.unref()
    }
  })
  child.once('exit', (code, signal) => {
    host = undefined
    for (const { reject } of waiting.values()) {
      reject(new Error(`the process of the commands ended with ${signal ?? code}`))
    }
  })
  return { child, waiting }
}
