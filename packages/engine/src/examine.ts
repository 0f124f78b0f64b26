import { MODELS, type ModelId } from '@wombat/contract'
import { type LockHolder, NEEDED_POSTGRES, openDatabase, pendingMigrations, type Statement } from '@wombat/database'
import { listRouteStates, type RouteState } from '@wombat/images'
import { examineRedis, openPostgresQueue, type RedisFacts } from '@wombat/queue'
import type { Config } from './config.ts'
import { openModels, type ServedModels } from './models.ts'
import { openStore } from './open-store.ts'
import { findLeader } from './scheduler.ts'

/* What `wombat doctor` finds out. Nothing here changes anything but for the store, which tries to write. */

export interface DatabaseFacts {
  /** Such as `18.4`. */
  readonly version: string
  /** The oldest major version that does. */
  readonly neededVersion: number
  /** What the next start will apply. */
  readonly pendingMigrations: readonly string[]
  /** How far the database's clock is ahead of ours. */
  readonly clockAheadMs: number
  /** Undefined when it works. */
  readonly queueFault: string | undefined
  /** The process that keeps house for all, if any does. */
  readonly leader: LockHolder | undefined
  /** Routes that are down or parked now. */
  readonly closedRoutes: readonly Pick<RouteState, 'route' | 'state' | 'openUntil' | 'reason'>[]
}

const CLOCK: Statement = {
  name: 'examine-clock',
  text: `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms, current_setting('server_version') AS version`,
}

/** Throws when the database can't be reached, or was used by a newer version. */
export async function examineDatabase(url: string): Promise<DatabaseFacts> {
  const db = openDatabase({ url, poolSize: 1, applicationName: 'wombat doctor', onError: () => {} })
  try {
    // The first statement also connects, and would make the clocks look different.
    await db.check()
    const before = Date.now()
    const [row] = await db.run<{ ms: number; version: string }>(CLOCK, [])
    const after = Date.now()
    const pending = await pendingMigrations(url)
    return {
      version: row?.version.split(' ')[0] ?? 'unknown',
      neededVersion: NEEDED_POSTGRES,
      pendingMigrations: pending,
      clockAheadMs: Math.round((row?.ms ?? after) - (before + after) / 2),
      queueFault: pending.length > 0 ? undefined : await findQueueFault(url),
      leader: await findLeader(url),
      closedRoutes: pending.length > 0 ? [] : (await listRouteStates(db)).filter(({ state }) => state !== 'closed'),
    }
  } finally {
    await db.close()
  }
}

async function findQueueFault(url: string): Promise<string | undefined> {
  try {
    const queue = await openPostgresQueue({ url, applicationName: 'wombat doctor', onError: () => {} })
    await queue.close()
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

/** Throws with the reason when it can't be reached. Undefined: the queue is in the database. */
export async function examineQueue({ REDIS_URL }: Config): Promise<RedisFacts | undefined> {
  return REDIS_URL === undefined ? undefined : await examineRedis(REDIS_URL)
}

/** Undefined as fault: images can be stored there. */
export async function examineStore(
  config: Config,
  dataDir: string,
): Promise<{ description: string; fault: string | undefined }> {
  const store = openStore(config, dataDir)
  try {
    return { description: store.description, fault: await store.check().then(() => undefined, reasonOf) }
  } finally {
    await store.close()
  }
}

export interface ServedModel {
  readonly model: ModelId
  /** Undefined: requests for it are refused. */
  readonly provider: string | undefined
  readonly reason: string
}

/** Which provider serves each model of the catalogue, and why. */
export function listServedModels(models: Pick<ServedModels, 'find'>): ServedModel[] {
  return MODELS.map(({ id }) => {
    const { routes, reason } = models.find(id)
    return { model: id, provider: routes[0]?.provider.name, reason }
  })
}

export interface ProviderFacts {
  readonly served: readonly ServedModel[]
  /** By the names of their routes. Undefined as fault: it could serve now. Nothing that costs money was asked of it. */
  readonly providers: readonly { readonly name: string; readonly fault: string | undefined }[]
}

export async function examineProviders(config: Config): Promise<ProviderFacts> {
  const models = openModels(config)
  try {
    const providers = await Promise.all(
      models.routes.map(async ({ name, provider }) => ({
        name,
        fault: await provider.check().then(() => undefined, reasonOf),
      })),
    )
    return { served: listServedModels(models), providers }
  } finally {
    await models.close()
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
