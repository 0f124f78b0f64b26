import { access, chmod, constants, mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { joinEmbeddedPostgres } from '@wombat/embedded'
import { DatabaseUnreachableError, type Operator, openOperator, reachDatabase } from '@wombat/engine'
import { describeUrl } from './describe-url.ts'
import { CliError, messageOf, systemCode } from './errors.ts'
import type { Settings } from './settings.ts'

export interface OpenedServer extends AsyncDisposable {
  readonly url: string
  /** Where it is, without its password. */
  readonly description: string
  /** Keeps an embedded PostgreSQL running that something kills, and tells of it; elsewhere that is somebody else's work. */
  watch(onRestart: (error: unknown) => void): void
}

/** The operator's own PostgreSQL, or the one in DATA_DIR, which is started when it has to be. Leaves it at the end. */
export async function openServer(settings: Settings, purpose: string): Promise<OpenedServer> {
  const { config, dataDir } = settings
  if (config.DATABASE_URL !== undefined) {
    return {
      url: config.DATABASE_URL,
      description: describeUrl(config.DATABASE_URL),
      watch: () => {},
      [Symbol.asyncDispose]: async () => {},
    }
  }
  await makeDataDir(dataDir)
  try {
    const embedded = await joinEmbeddedPostgres({ dataDir, purpose })
    return {
      url: embedded.url,
      description: `PostgreSQL in ${path.join(dataDir, 'postgres')}`,
      watch: (onRestart) => embedded.watch(onRestart),
      [Symbol.asyncDispose]: () => embedded.leave(),
    }
  } catch (error) {
    throw new CliError('unreachable', messageOf(error).replace(/\s*\n\s*/g, ' '), { cause: error })
  }
}

/** True when DATA_DIR has a database, or another place is set for it. */
export async function hasDatabase({ config, dataDir }: Settings): Promise<boolean> {
  return (
    config.DATABASE_URL !== undefined ||
    (await stat(path.join(dataDir, 'postgres')).catch(() => undefined)) !== undefined
  )
}

export interface Connection extends AsyncDisposable {
  /** For what needs a session of its own. */
  readonly url: string
  readonly db: Operator['db']
}

/** The database for one command, brought up to this version. */
export async function connect(settings: Settings, purpose: string): Promise<Connection> {
  const server = await openServer(settings, purpose)
  try {
    const { db, close } = await openOperator(server.url)
    return {
      url: server.url,
      db,
      async [Symbol.asyncDispose]() {
        await close()
        await server[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw explainUnreachable(error, server)
  }
}

/** Throws a CliError when the database doesn't answer. */
export async function assertReachable(server: OpenedServer): Promise<void> {
  try {
    await reachDatabase(server.url)
  } catch (error) {
    throw explainUnreachable(error, server)
  }
}

function explainUnreachable(error: unknown, { description }: OpenedServer): unknown {
  return error instanceof DatabaseUnreachableError
    ? new CliError(
        'unreachable',
        `The database at ${description} can't be used: ${error.message}. Check DATABASE_URL.`,
        { cause: error },
      )
    : error
}

/** Makes DATA_DIR if need be, and throws a CliError when we may not write there. */
export async function makeDataDir(dataDir: string): Promise<void> {
  try {
    await makeDirectory(dataDir)
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof CliError) {
      throw error
    }
    const reason = OBSTACLES[systemCode(error) ?? ''] ?? messageOf(error)
    throw new CliError(
      'configuration',
      `DATA_DIR is ${dataDir}, and ${reason}: make it writable for this user, or set DATA_DIR to another place.`,
      {
        cause: error,
      },
    )
  }
}

/** Step by step: Node's recursive mkdir never ends where nothing can be made, as in /proc. */
async function makeDirectory(directory: string): Promise<void> {
  const parent = path.dirname(directory)
  if (await isThere(directory)) {
    return
  }
  if (!(await isThere(parent))) {
    await makeDirectory(parent)
  }
  try {
    await mkdir(directory)
  } catch (error) {
    // Another command was faster.
    if (systemCode(error) === 'EEXIST') {
      return
    }
    throw error
  }
  // As root PostgreSQL runs as another user, who has to pass through, whatever our umask is.
  await chmod(directory, process.getuid?.() === 0 ? 0o711 : 0o700)
}

async function isThere(directory: string): Promise<boolean> {
  try {
    if ((await stat(directory)).isDirectory()) {
      return true
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      return false
    }
    throw error
  }
  throw new CliError(
    'configuration',
    `DATA_DIR needs ${directory} to be a directory, and it is a file: set DATA_DIR to another place.`,
  )
}

const OBSTACLES: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  ENOENT: 'nothing can be made there',
  EPERM: 'this user may not write there',
  EROFS: 'that file system is read-only',
  ENOTDIR: 'a part of that path is a file',
  ENOSPC: 'that disk is full',
}
