import { spawn } from 'node:child_process'
import type { ServerUser } from './server-user.ts'

export interface Finished {
  readonly code: number | null
  /** The end of what it printed. */
  readonly output: string
}

const MAX_OUTPUT_CHARACTERS = 16_384

/** Runs one of PostgreSQL's programs to its end, as the given user and without our environment: PGPORT and the like count there too. */
export function run(
  file: string,
  args: readonly string[],
  options: { user: ServerUser; timeoutMs: number },
): Promise<Finished> {
  const { user, timeoutMs } = options
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      ...(user.isOther ? { uid: user.uid, gid: user.gid } : {}),
    })
    let output = ''
    const collect = (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT_CHARACTERS)
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    child.on('error', (error) => reject(new Error(explain(file, error), { cause: error })))
    child.on('close', (code) => resolve({ code, output: output.trim() }))
  })
}

/** The file is there, we looked: so ENOENT is about the loader that it names. */
function explain(file: string, error: Error): string {
  return `${file} does not start (${error.message}). The PostgreSQL that Wombat brings needs glibc on Linux, not musl (Alpine); with another one set DATABASE_URL.`
}
