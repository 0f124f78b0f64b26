/* `npm run local`: a whole cluster on this machine, until Ctrl-C; with --trial, the trial of restarts and kills. */
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { CONFIG_VARIABLES } from '@wombat/engine'
import { type Cluster, startCluster } from './cluster.ts'
import { runTrial } from './trial/trial.ts'

const USAGE = `usage: npm run local -- [--port 8080] [--data-dir DIR] [--trial [--images 1000] [--clients 48]]

  --port      where nginx listens on 127.0.0.1 (0: a free port); everything else takes free ports
  --data-dir  keeps all state there. Default: a temporary directory, which goes at the end
  --trial     sends images through the cluster while each process is restarted and killed, and compares everything

A DATABASE_URL in the environment is used instead of a PostgreSQL of its own. Other settings of Wombat are taken from the
environment and from .env of the checkout, as usual. The trial has settings of its own.`

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    'data-dir': { type: 'string' },
    trial: { type: 'boolean', default: false },
    images: { type: 'string', default: '1000' },
    clients: { type: 'string', default: '48' },
    help: { type: 'boolean', default: false },
  },
})
const isTrial = values.trial
const port = Number(values.port ?? (isTrial ? '0' : '8080'))
const images = Number(values.images)
const clients = Number(values.clients)
const isRight = Number.isInteger(port) && port >= 0 && port < 65_536 && images >= 1 && clients >= 1

if (values.help || !isRight) {
  console.log(USAGE)
  process.exitCode = values.help ? 0 : 2
} else {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stopping.abort())
  }
  try {
    await main(stopping.signal)
  } catch (error) {
    console.error(stopping.signal.aborted ? 'stopped' : error instanceof Error ? error.message : error)
    process.exitCode = stopping.signal.aborted ? 130 : 1
  }
}

async function main(stop: AbortSignal) {
  await using stack = new AsyncDisposableStack()
  const directory = await openDirectory(values['data-dir'], stack)
  const { DATABASE_URL: databaseUrl } = process.env
  const report = (text: string) => console.log(text)
  if (isTrial) {
    const faults = await runTrial({ directory, port, databaseUrl, images, clients, stop, report })
    process.exitCode = faults.length === 0 ? 0 : 1
    return
  }
  const settings = settingsOfEnvironment()
  const cluster = stack.use(await startCluster({ directory, port, databaseUrl, settings, report }))
  console.log(describe(cluster, directory))
  await (stop.aborted ? undefined : once(stop, 'abort'))
  console.log('\nstopping')
}

/** Those of Wombat. What the cluster decides by itself wins over them. */
function settingsOfEnvironment(): Record<string, string> {
  const entries = CONFIG_VARIABLES.map(({ name }) => [name, process.env[name]] as const)
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}

async function openDirectory(given: string | undefined, stack: AsyncDisposableStack): Promise<string> {
  if (given !== undefined) {
    await mkdir(given, { recursive: true })
    return await realpath(given)
  }
  const made = await realpath(await mkdtemp(path.join(tmpdir(), 'wombat-local-')))
  return stack.adopt(made, (directory) => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
}

function describe({ parts, url, apiKey }: Cluster, directory: string): string {
  const width = Math.max(...parts.map(({ name }) => name.length))
  const lines = parts.map(
    ({ name, pid, description }) => `${name.padEnd(width)}  pid ${`${pid}`.padEnd(7)} ${description}`,
  )
  return `${lines.join('\n')}

state and logs  ${directory}
API key         ${apiKey}

curl ${url}/api/image-generation/ -H 'Authorization: Bearer ${apiKey}' -H 'Content-Type: application/json' -d '{"prompt":"a wombat"}'

Ctrl-C stops it.`
}
