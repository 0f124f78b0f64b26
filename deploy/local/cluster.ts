import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeNginx } from './nginx.ts'
import { createPart, isHealthy, type Part, type Plan } from './part.ts'
import { findPorts, isFree } from './ports.ts'
import { openPostgres } from './postgres.ts'
import { findPrograms, type ProgramName } from './programs.ts'
import { redisAnswers } from './redis.ts'

export interface ClusterOptions {
  readonly directory: string
  /** Of nginx. 0: a free one. */
  readonly port: number
  /** Undefined: an embedded PostgreSQL of its own. */
  readonly databaseUrl: string | undefined
  /** Further settings of Wombat, by their names in .env.example. */
  readonly settings: Readonly<Record<string, string>>
  /** Told in a sentence of what happens by itself. */
  readonly report: (text: string) => void
}

export interface Cluster extends AsyncDisposable {
  /** Of nginx. */
  readonly url: string
  readonly apiKey: string
  readonly databaseUrl: string
  /** What a \`wombat\` command needs to work on it. */
  readonly env: Readonly<Record<string, string>>
  /** In the order in which they were started. */
  readonly parts: readonly Part[]
  part(name: PartName): Part
}

export type WombatName = 'api-1' | 'api-2' | 'worker-1' | 'worker-2' | 'scheduler'
export type PartName = WombatName | 'postgres' | 'redis' | 's3' | 'nginx'

const BUCKET = 'wombat'
const HOST = '127.0.0.1'
export const WOMBAT = fileURLToPath(new URL('../../apps/cli/bin/wombat.js', import.meta.url))
const S3_SERVER = fileURLToPath(new URL('s3-server.ts', import.meta.url))

interface Place {
  readonly directory: string
  readonly ports: Readonly<Record<Exclude<PartName, 'postgres'>, number>>
  readonly programs: Readonly<Record<ProgramName, string>>
  readonly env: Readonly<Record<string, string>>
}

/** Starts everything, each part when what it needs is ready. Disposing of it stops the parts in the opposite order. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { directory, report } = options
  const programs = await findPrograms()
  await mkdir(path.join(directory, 'logs'), { recursive: true })
  // As root the embedded PostgreSQL runs as another user, who has to pass through.
  await chmod(directory, 0o711)
  const ports = await choosePorts(options.port)
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await openPostgres({ directory, url: options.databaseUrl, report }))
  const apiKey = await readKey(directory)
  const url = `http://${HOST}:${ports.nginx}`
  const env = {
    // As long as a picture takes: a worker that is restarted ends what it has begun. Three seconds are for a terminal.
    SHUTDOWN_GRACE_SECONDS: '20',
    ...options.settings,
    DATABASE_URL: postgres.url,
    REDIS_URL: `redis://${HOST}:${ports.redis}`,
    S3_BUCKET: BUCKET,
    S3_ENDPOINT: `http://${HOST}:${ports.s3}`,
    S3_REGION: 'us-east-1',
    S3_FORCE_PATH_STYLE: 'true',
    S3_PREFIX: '',
    S3_ACCESS_KEY_ID: 'local',
    S3_SECRET_ACCESS_KEY: 'local',
    DATA_DIR: path.join(directory, 'wombat'),
    HOST,
    PUBLIC_URL: url,
    TRUST_PROXY: 'loopback',
    BOOTSTRAP_API_KEY: apiKey,
  }
  const place: Place = { directory, ports, programs, env }
  const parts = new Map<string, Part>()
  if (postgres.part !== undefined) {
    parts.set('postgres', postgres.part)
  }
  const add = async (plan: Plan) => {
    const part = createPart(plan, report)
    stack.defer(() => part.stop())
    parts.set(plan.name, part)
    await part.start()
  }
  await Promise.all([add(redisPlan(place)), add(s3Plan(place))])
  // Alone, so that one of them migrates and makes the first account; the others would wait for it anyway.
  await add(wombatPlan(place, 'api-1'))
  await Promise.all(WOMBATS.slice(1).map((name) => add(wombatPlan(place, name))))
  await add(await nginxPlan(place))
  const opened = stack.move()
  return {
    url,
    apiKey,
    databaseUrl: postgres.url,
    env,
    parts: [...parts.values()],
    part(name) {
      const part = parts.get(name)
      if (part === undefined) {
        throw new Error(`There is no ${name} in this cluster.`)
      }
      return part
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

export const WOMBATS: readonly WombatName[] = ['api-1', 'api-2', 'worker-1', 'worker-2', 'scheduler']

async function choosePorts(port: number): Promise<Place['ports']> {
  const [redis = 0, s3 = 0, one = 0, two = 0, three = 0, four = 0, five = 0, free = 0] = await findPorts(8)
  if (port !== 0 && !(await isFree(port))) {
    throw new Error(`Something listens on port ${port} already. Choose another one with --port.`)
  }
  const wombats = { 'api-1': one, 'api-2': two, 'worker-1': three, 'worker-2': four, scheduler: five }
  return { redis, s3, nginx: port === 0 ? free : port, ...wombats }
}

/** Of the first account, the same at each start on one directory. */
async function readKey(directory: string): Promise<string> {
  const file = path.join(directory, 'api-key')
  const kept = await readFile(file, 'utf8').catch(() => undefined)
  if (kept !== undefined) {
    return kept
  }
  const made = randomBytes(24).toString('hex')
  await writeFile(file, made, { mode: 0o600 })
  return made
}

function logOf({ directory }: Place, name: string): string {
  return path.join(directory, 'logs', `${name}.log`)
}

/** Without any persistence: a restart empties it, which is the worst that Wombat has to bear of a Redis. */
function redisPlan(place: Place): Plan {
  const { redis: port } = place.ports
  return {
    name: 'redis',
    description: `Redis, ${HOST}:${port}`,
    command: place.programs['redis-server'],
    args: ['--port', `${port}`, '--bind', HOST, '--dir', place.directory, '--save', '', '--appendonly', 'no'],
    logFile: logOf(place, 'redis'),
    isReady: () => redisAnswers(port),
    isNode: false,
  }
}

function s3Plan(place: Place): Plan {
  const { s3: port } = place.ports
  const bucket = `http://${HOST}:${port}/${BUCKET}`
  return {
    name: 's3',
    description: `S3 (fauxqs), ${bucket}`,
    command: process.execPath,
    args: [S3_SERVER],
    env: { S3_PORT: `${port}`, S3_DIRECTORY: path.join(place.directory, 's3'), S3_BUCKET: BUCKET },
    logFile: logOf(place, 's3'),
    // A page of the listing: the bucket is there then.
    isReady: () => isHealthy(`${bucket}?list-type=2&max-keys=1`),
    isNode: true,
  }
}

function wombatPlan(place: Place, name: WombatName): Plan {
  const port = place.ports[name]
  const role = name.replace(/-\d$/, '')
  return {
    name,
    description: `wombat start --role ${role}, http://${HOST}:${port}`,
    command: process.execPath,
    args: ['--max-semi-space-size=16', WOMBAT, 'start', '--role', role],
    env: { ...place.env, LOG_FORMAT: 'json', ...(role === 'api' ? { PORT: `${port}` } : { METRICS_PORT: `${port}` }) },
    logFile: logOf(place, name),
    isReady: () => isHealthy(`http://${HOST}:${port}/health/ready`),
    isNode: true,
  }
}

async function nginxPlan(place: Place): Promise<Plan> {
  const { nginx: port } = place.ports
  const apiPorts = [place.ports['api-1'], place.ports['api-2']]
  return {
    name: 'nginx',
    description: `nginx, http://${HOST}:${port}`,
    command: place.programs.nginx,
    args: await writeNginx({ directory: path.join(place.directory, 'nginx'), port, apiPorts }),
    logFile: logOf(place, 'nginx'),
    isReady: () => isHealthy(`http://${HOST}:${port}/health/live`),
    reloadSignal: 'SIGHUP',
    isNode: false,
  }
}
