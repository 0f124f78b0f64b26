import type { Config, Database } from '@wombat/engine'
import { CliError } from './errors.ts'
import { commandActor } from './on-database.ts'
import { findRunningServer, publicUrl } from './server-url.ts'
import type { Settings } from './settings.ts'

/** A server to ask for images and a key that it takes, for the time of one command. */
export interface Session extends AsyncDisposable {
  readonly baseUrl: string
  readonly apiKey: string
  /** The key was made for this command in our database; another server's database would not know it. */
  readonly isKeyTemporary: boolean
  /** The key of an account that this command has made as the first one, to be shown now or never. */
  readonly firstKey: string | undefined
  /** Why an image is not there yet, as far as the database tells. */
  explain(imageId: string): Promise<string | undefined>
}

export interface SessionWish {
  readonly apiKey: string | undefined
  readonly accountId: string | undefined
  readonly stop: AbortSignal
}

const KEY_LIFETIME_MS = 3_600_000

/** The server that runs, or one in this process for as long as the session is open. */
export async function openSession(settings: Settings, wish: SessionWish): Promise<Session> {
  const running = settings.client.url ?? (await findRunningServer(settings.config))
  return running === undefined ? await openOwnServer(settings, wish) : await joinServer(settings, wish, running)
}

async function joinServer(settings: Settings, { apiKey, accountId }: SessionWish, baseUrl: string): Promise<Session> {
  await using stack = new AsyncDisposableStack()
  const found = { baseUrl: baseUrl.replace(/\/+$/, ''), firstKey: undefined }
  if (apiKey !== undefined) {
    return {
      ...found,
      apiKey,
      isKeyTemporary: false,
      explain: async () => undefined,
      [Symbol.asyncDispose]: async () => {},
    }
  }
  const { connect } = await import('./connect.ts')
  const { db } = stack.use(await connect(settings, 'generate'))
  const key = stack.use(await openTemporaryKey(db, settings.config, accountId))
  return {
    ...found,
    apiKey: key.apiKey,
    isKeyTemporary: true,
    explain: (imageId) => explain(db, settings.config, imageId),
    ...handOver(stack),
  }
}

async function openOwnServer(settings: Settings, { apiKey, accountId, stop }: SessionWish): Promise<Session> {
  await using stack = new AsyncDisposableStack()
  const loading = import('@wombat/server')
  const { assertReachable, openServer } = await import('./connect.ts')
  const { createErrorLogger } = await import('@wombat/engine')
  const server = stack.use(await openServer(settings, 'generate'))
  await assertReachable(server)
  const { runWombat } = await loading
  stop.throwIfAborted()
  const running = await runWombat(
    { ...settings.config, HOST: '127.0.0.1', PORT: 0, PUBLIC_URL: publicUrl(settings.config) },
    {
      databaseUrl: server.url,
      dataDir: settings.dataDir,
      role: 'all',
      log: createErrorLogger({ level: quieter(settings.config) }),
    },
  )
  stack.defer(() => running.stop())
  const { db } = running.engine
  const isFirst = running.bootstrap !== undefined && settings.config.BOOTSTRAP_API_KEY === undefined
  const key = apiKey === undefined ? stack.use(await openTemporaryKey(db, settings.config, accountId)) : { apiKey }
  return {
    baseUrl: running.url ?? '',
    apiKey: key.apiKey,
    isKeyTemporary: apiKey === undefined,
    firstKey: isFirst ? running.bootstrap?.apiKey : undefined,
    explain: (imageId) => explain(db, settings.config, imageId),
    ...handOver(stack),
  }
}

/** The one who asked for a picture is told by the command itself; the log is for those who look for a fault. */
function quieter({ LOG_LEVEL }: Config): string {
  return LOG_LEVEL === 'debug' || LOG_LEVEL === 'trace' ? LOG_LEVEL : 'fatal'
}

/** Takes over what was opened, which would be closed at the end of the scope otherwise. */
function handOver(stack: AsyncDisposableStack): AsyncDisposable {
  const taken = stack.move()
  return { [Symbol.asyncDispose]: () => taken.disposeAsync() }
}

async function openTemporaryKey(
  db: Database,
  config: Config,
  accountId: string | undefined,
): Promise<{ apiKey: string } & AsyncDisposable> {
  const { findMainAccount, listAccounts, openOperations } = await import('@wombat/engine')
  const operations = openOperations(db, { actor: commandActor(), config, publicUrl: publicUrl(config) })
  const chosen = accountId ?? (await findMainAccount(db))?.id
  if (chosen === undefined) {
    const isEmpty = (await listAccounts(db, 1)).length === 0
    throw isEmpty
      ? new CliError(
          'not_found',
          'there is no account yet: `wombat start` makes the first one, or `wombat account create --name NAME --credits 100`',
        )
      : new CliError(
          'usage',
          'there are several accounts: say which one pays with --account ID (`wombat account list` shows them)',
        )
  }
  const expiresAt = new Date(Date.now() + KEY_LIFETIME_MS)
  const made = await operations.issueKey({ accountId: chosen, name: 'wombat generate', expiresAt })
  if (made === undefined) {
    throw new CliError('not_found', `there is no account ${chosen}: \`wombat account list\` shows them`)
  }
  return {
    apiKey: made.apiKey,
    async [Symbol.asyncDispose]() {
      await operations.withdrawKey(made.keyId)
    },
  }
}

async function explain(db: Database, config: Config, imageId: string): Promise<string | undefined> {
  const { showImage } = await import('@wombat/engine')
  const last = (await showImage(db, config, imageId))?.attempts.at(-1)
  return last?.outcome == null || last.outcome === 'done'
    ? undefined
    : `${last.provider}: ${last.message ?? last.failure ?? last.outcome}`
}
