import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runTrial } from '../deploy/local/trial/trial.ts'

/** The trial of `npm run local -- --trial`, with its figures at their defaults. */
export async function tryRestarts(): Promise<void> {
  const directory = await realpath(await mkdtemp(path.join(tmpdir(), 'wombat-bench-')))
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  process.on('SIGINT', stop).on('SIGTERM', stop)
  try {
    const faults = await runTrial({
      directory,
      port: 0,
      databaseUrl: undefined,
      images: 1000,
      clients: 48,
      stop: stopping.signal,
      report: (text) => console.log(text),
    })
    process.exitCode = faults.length === 0 ? 0 : 1
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
