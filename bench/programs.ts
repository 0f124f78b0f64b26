import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import path from 'node:path'

/** The packages of Debian and Ubuntu that bring the programs we compare with or measure by. */
const PACKAGES = { wrk: 'wrk', nginx: 'nginx-light', pgbench: 'postgresql-contrib' } as const

export type ProgramName = keyof typeof PACKAGES

/** Where administrators' programs are, which an ordinary user's PATH lacks. */
const MORE_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/opt/homebrew/bin']

/** Undefined, after a line that says how to install it, when it is not on this machine. */
export async function findProgram(name: ProgramName): Promise<string | undefined> {
  const directories = [...(process.env.PATH ?? '').split(path.delimiter), ...MORE_DIRECTORIES]
  for (const directory of directories) {
    const file = path.join(directory, name)
    if (directory !== '' && (await isExecutable(file))) {
      return file
    }
  }
  console.log(`${name} is missing, so its figures are left out. On Debian or Ubuntu: apt-get install ${PACKAGES[name]}`)
  return undefined
}

async function isExecutable(file: string): Promise<boolean> {
  return await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Runs a program to its end and answers what it printed. Throws with that when it fails. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { env = {} }: { env?: Record<string, string> } = {},
): Promise<string> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString('utf8')
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', resolve)
  const code = await promise
  if (code !== 0) {
    throw new Error(`${path.basename(file)} ended with ${code}:\n${output}`)
  }
  return output
}
