import { access, constants, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '@wombat/engine'
import { describeLeader } from './doctor-leader.ts'
import { checkRedis } from './doctor-redis.ts'
import { describeRoutes } from './doctor-routes.ts'
import { CliError, messageOf } from './errors.ts'
import { bytes } from './format.ts'
import { painter } from './paint.ts'
import { findRunningServer, localUrl, publicUrl } from './server-url.ts'
import { readSettings, type Settings } from './settings.ts'
import { supervise } from './supervise.ts'
import type { Terminal } from './terminal.ts'

export interface Finding {
  readonly what: string
  readonly outcome: 'ok' | 'warning' | 'failure'
  readonly detail: string
  readonly remedy?: string
}

const NEEDED_NODE = 24
const LITTLE_SPACE_BYTES = 1_000_000_000
const CLOCK_WARNING_MS = 1_000
const CLOCK_FAILURE_MS = 15_000
const GRACE_MS = 5_000

/** Looks at everything that the server needs, changes nothing, and sets exit code 1 when something is wrong. */
export async function doctor(terminal: Terminal): Promise<void> {
  const { value: report } = await supervise({ graceMs: GRACE_MS, onFault: (error) => terminal.fail(error) }, examine)
  const isOk = report.findings.every(({ outcome }) => outcome !== 'failure')
  terminal.print({
    json: { ok: isOk, url: report.url, checks: report.findings },
    text: print(report, isOk),
    ...(isOk ? {} : { failure: 'failed' }),
  })
}

interface Report {
  readonly findings: readonly Finding[]
  /** What clients get; undefined when the settings can't be read. */
  readonly url: string | undefined
}

async function examine(stop: AbortSignal): Promise<Report> {
  const node = checkNode()
  let settings: Settings
  try {
    settings = await readSettings()
  } catch (error) {
    if (!(error instanceof CliError)) {
      throw error
    }
    return { findings: [node, ...(await describeFaults(error))], url: undefined }
  }
  const findings = [node, ...checkSettings(settings)]
  for (const check of [checkDataDir, checkDatabase, checkRedis, checkStore, checkProviders, checkServer]) {
    if (!stop.aborted) {
      findings.push(...(await check(settings)))
    }
  }
  return { findings, url: publicUrl(settings.config) }
}

async function describeFaults(error: CliError): Promise<Finding[]> {
  const { ConfigError } = await import('@wombat/engine')
  const faults = error.cause instanceof ConfigError ? error.cause.faults : [error.message]
  return faults.map((detail) => ({ what: 'configuration', outcome: 'failure', detail }))
}

function checkNode(): Finding {
  const { node } = process.versions
  return Number.parseInt(node, 10) >= NEEDED_NODE
    ? { what: 'Node', outcome: 'ok', detail: node }
    : { what: 'Node', outcome: 'failure', detail: node, remedy: `install Node ${NEEDED_NODE}` }
}

function checkSettings({ config, envFile }: Settings): Finding[] {
  const source =
    envFile === undefined ? 'from the environment; there is no .env' : `from the environment and ${envFile}`
  return [
    { what: 'configuration', outcome: 'ok', detail: source },
    ...config.warnings.map((detail): Finding => ({ what: 'configuration', outcome: 'warning', detail })),
  ]
}

async function checkDataDir({ dataDir }: Settings): Promise<Finding[]> {
  const what = 'data directory'
  try {
    const existing = await nearestExisting(dataDir)
    await access(existing, constants.R_OK | constants.W_OK | constants.X_OK)
    const { bavail, bsize } = await statfs(existing)
    const free = bavail * bsize
    const detail = `${dataDir}${existing === dataDir ? '' : ' (not made yet)'}, ${bytes(free)} free`
    return free < LITTLE_SPACE_BYTES
      ? [{ what, outcome: 'warning', detail, remedy: 'make room, or set DATA_DIR to another disk' }]
      : [{ what, outcome: 'ok', detail }]
  } catch (error) {
    return [
      {
        what,
        outcome: 'failure',
        detail: `${dataDir}: ${messageOf(error)}`,
        remedy: 'make it writable for this user, or set DATA_DIR',
      },
    ]
  }
}

/** The directory itself, or the one above in which it will be made. */
async function nearestExisting(directory: string): Promise<string> {
  const found = await stat(directory).catch(() => undefined)
  if (found === undefined && directory !== path.dirname(directory)) {
    return await nearestExisting(path.dirname(directory))
  }
  if (found?.isDirectory() !== true) {
    throw new Error(`${directory} is no directory`)
  }
  return directory
}

async function checkDatabase(settings: Settings): Promise<Finding[]> {
  const { hasDatabase, openServer } = await import('./connect.ts')
  if (!(await hasDatabase(settings))) {
    return [{ what: 'database', outcome: 'warning', detail: 'not made yet', remedy: '`wombat start` makes it' }]
  }
  const remedy = settings.config.DATABASE_URL === undefined ? undefined : 'check DATABASE_URL, and that the server runs'
  try {
    await using server = await openServer(settings, 'doctor')
    const { examineDatabase } = await import('@wombat/engine')
    const facts = await examineDatabase(server.url)
    const findings = [
      ...describeDatabase(facts, server.description),
      ...describeLeader(facts),
      ...describeRoutes(facts, settings),
    ]
    // With REDIS_URL the queue is not in the database.
    return settings.config.REDIS_URL === undefined ? findings : findings.filter(({ what }) => what !== 'queue')
  } catch (error) {
    return [
      { what: 'database', outcome: 'failure', detail: messageOf(error), ...(remedy === undefined ? {} : { remedy }) },
    ]
  }
}

function describeDatabase(
  facts: {
    version: string
    neededVersion: number
    pendingMigrations: readonly string[]
    clockAheadMs: number
    queueFault: string | undefined
  },
  where: string,
): Finding[] {
  const isOld = Number.parseInt(facts.version, 10) < facts.neededVersion
  const pending = facts.pendingMigrations.length
  const findings: Finding[] = [
    isOld
      ? {
          what: 'database',
          outcome: 'failure',
          detail: `PostgreSQL ${facts.version} at ${where}`,
          remedy: `use PostgreSQL ${facts.neededVersion} or newer`,
        }
      : { what: 'database', outcome: 'ok', detail: `${where} (version ${facts.version})` },
    pending === 0
      ? { what: 'migrations', outcome: 'ok', detail: 'up to date' }
      : {
          what: 'migrations',
          outcome: 'warning',
          detail: `${pending} to apply`,
          remedy: '`wombat start` applies them',
        },
    describeClock(facts.clockAheadMs),
  ]
  if (pending === 0) {
    findings.push(
      facts.queueFault === undefined
        ? { what: 'queue', outcome: 'ok', detail: 'BullMQ on PostgreSQL' }
        : {
            what: 'queue',
            outcome: 'warning',
            detail: facts.queueFault,
            remedy: '`wombat start` makes or updates its tables',
          },
    )
  }
  return findings
}

function describeClock(aheadMs: number): Finding {
  const what = 'clock'
  const amount = Math.abs(aheadMs)
  const detail = `the database's is ${amount} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine's`
  if (amount < CLOCK_WARNING_MS) {
    return { what, outcome: 'ok', detail }
  }
  return {
    what,
    outcome: amount < CLOCK_FAILURE_MS ? 'warning' : 'failure',
    detail,
    remedy: 'synchronise both with NTP',
  }
}

async function checkStore({ config, dataDir }: Settings): Promise<Finding[]> {
  const what = 'store'
  const isOnDisk = config.S3_BUCKET === undefined
  if (isOnDisk && (await nearestExisting(dataDir).catch(() => undefined)) !== dataDir) {
    return []
  }
  const { examineStore } = await import('@wombat/engine')
  const { description, fault } = await examineStore(config, dataDir)
  if (fault === undefined) {
    return [
      { what, outcome: 'ok', detail: `images ${isOnDisk ? `in ${path.join(dataDir, 'blobs')}` : `on ${description}`}` },
    ]
  }
  const remedy = isOnDisk ? 'make DATA_DIR writable for this user' : 'check the settings S3_* and that S3 is reached'
  return [{ what, outcome: 'failure', detail: fault, remedy }]
}

async function checkProviders({ config }: Settings): Promise<Finding[]> {
  const { examineProviders } = await import('@wombat/engine')
  const { served, providers } = await examineProviders(config)
  return [
    ...served.map(({ model, provider, reason }): Finding => {
      const detail = `${provider ?? 'refused'} (${reason})`
      return {
        what: model,
        outcome:
          provider === 'synthetic' && config.SYNTHETIC !== 'always'
            ? 'warning'
            : provider === undefined
              ? 'warning'
              : 'ok',
        detail,
      }
    }),
    ...providers.map(({ name, fault }): Finding => {
      const what = `provider ${name}`
      return fault === undefined
        ? { what, outcome: 'ok', detail: 'answers' }
        : {
            what,
            outcome: 'failure',
            detail: fault,
            remedy: 'check its API key, its base URL and the network; images wait meanwhile',
          }
    }),
  ]
}

async function checkServer({ config }: Settings): Promise<Finding[]> {
  const running = await findRunningServer(config)
  return [
    running === undefined
      ? {
          what: 'server',
          outcome: 'warning',
          detail: `nothing answers at ${localUrl(config)}`,
          remedy: '`wombat start` starts it',
        }
      : { what: 'server', outcome: 'ok', detail: `answers at ${running}` },
    ...checkPublicUrl(config),
  ]
}

function checkPublicUrl(config: Config): Finding[] {
  const isOpen = !/^(127\.|localhost$|::1$)/.test(config.HOST)
  return isOpen && config.PUBLIC_URL === undefined
    ? [
        {
          what: 'PUBLIC_URL',
          outcome: 'warning',
          detail: `not set, though HOST is ${config.HOST}`,
          remedy: 'set it, or other machines get URLs that only work here',
        },
      ]
    : []
}

function print({ findings, url }: Report, isOk: boolean): string {
  const paint = painter(process.stdout)
  const marks = { ok: paint('green', '✔'), warning: paint('yellow', '!'), failure: paint('red', '✖') }
  const width = Math.max(...findings.map(({ what }) => what.length))
  const lines = findings.map(({ what, outcome, detail, remedy }) => {
    const text = remedy === undefined ? detail : `${detail}: ${remedy}`
    return `${marks[outcome]} ${what.padEnd(width)}  ${text.replace(/\s*\n\s*/g, '; ')}`
  })
  const verdict = isOk ? 'Everything that must work does.' : 'Something is wrong: see the lines with ✖.'
  return [...lines, '', ...(url === undefined ? [] : [`Clients get ${paint(['bold', 'cyan'], url)}`]), verdict].join(
    '\n',
  )
}
