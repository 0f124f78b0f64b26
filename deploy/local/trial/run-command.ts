import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { WOMBAT } from '../cluster.ts'

/** Runs a `wombat` command to its end. */
export async function runCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [WOMBAT, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', ...env },
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('close', resolve).once('error', reject)
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, output: (code === 0 ? out : out + err).trim() }
}
