/* For tests, see call-cli.ts: runs commands one after another in this process, each with its own environment and folder. */
import module from 'node:module'
import { fileURLToPath } from 'node:url'

export interface Call {
  readonly id: number
  readonly args: readonly string[]
  readonly folder: string
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>
}

export interface Called {
  readonly id: number
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

module.enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/wombat', import.meta.url)))
const { run } = await import('./main.ts')

async function answer({ id, args, folder, env }: Call): Promise<Called> {
  for (const name of Object.keys(process.env)) {
    delete process.env[name]
  }
  Object.assign(process.env, env)
  process.chdir(folder)
  process.exitCode = undefined
  const stdout = capture(process.stdout)
  const stderr = capture(process.stderr)
  try {
    await run(args)
    return { id, code: Number(process.exitCode ?? 0), stdout: stdout.text, stderr: stderr.text }
  } finally {
    stdout.end()
    stderr.end()
  }
}

function capture(stream: NodeJS.WriteStream) {
  const write = stream.write
  const captured = {
    text: '',
    end() {
      stream.write = write
      // Each command listens anew.
      stream.removeAllListeners('error')
    },
  }
  stream.write = (chunk: Uint8Array | string) => {
    captured.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    return true
  }
  return captured
}

let last = Promise.resolve()
process.on('message', (call: Call) => {
  last = last.then(async () => {
    process.send?.(await answer(call))
  })
})
process.once('disconnect', () => process.exit())
