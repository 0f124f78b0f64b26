import type { Database } from '@wombat/database'
import { type Route, serveModels } from '@wombat/generation'
import { listRouteStates, type RouteState, resumeRoute as resume } from '@wombat/images'
import type { Config } from './config.ts'

/** One route for an operator: what these settings say of it, and what all processes know of it. */
export interface RouteLine {
  readonly route: string
  /** Null: these settings have no such route, but one was used under this name. */
  readonly adapter: string | null
  /** What it serves; a model may have several routes. */
  readonly models: readonly string[]
  /**
   * unused: nobody has called it yet. paused: its upstream asked to slow down. down: it failed too often. parked:
   * nothing is to be had with its key.
   */
  readonly state: 'unused' | 'in_use' | 'paused' | 'down' | 'parked'
  /** The earliest moment at which it is called again; null when that is now. */
  readonly until: Date | null
  /** In a row. */
  readonly failures: number
  /** Calls under way, in all processes. */
  readonly busy: number
  /** How many there may be at once. */
  readonly concurrency: number | null
  /** Why it is down or parked. */
  readonly reason: string | null
  /** When it came into this state. */
  readonly changedAt: Date | null
}

export type RouteSettings = Pick<Config, 'routes' | 'SYNTHETIC'>

/** Every route of these settings in their order, then every other one that was ever used. */
export async function listRoutes(db: Database, config: RouteSettings): Promise<RouteLine[]> {
  const states = new Map((await listRouteStates(db)).map((state) => [state.route, state]))
  const configured = configuredRoutes(config)
  const others = [...states.values()].filter(({ route }) => !configured.some(({ name }) => name === route))
  return [
    ...configured.map(({ name, adapter, models, concurrency }) => ({
      route: name,
      adapter,
      models,
      concurrency,
      ...toHealth(states.get(name)),
    })),
    ...others.map((state) => ({
      route: state.route,
      adapter: null,
      models: [],
      concurrency: null,
      ...toHealth(state),
    })),
  ]
}

/** With the models that each really serves, and the one that draws where no other does. */
function configuredRoutes({ routes, SYNTHETIC }: RouteSettings): Route[] {
  const served = serveModels(routes, { synthetic: SYNTHETIC })
  const found = new Map([...routes, ...served.flatMap((model) => model.routes)].map((route) => [route.name, route]))
  return [...found.values()].map((route) => ({
    ...route,
    models: served.filter((one) => one.routes.some(({ name }) => name === route.name)).map(({ model }) => model),
  }))
}

function toHealth(state: RouteState | undefined): Omit<RouteLine, 'route' | 'adapter' | 'models' | 'concurrency'> {
  if (state === undefined) {
    return { state: 'unused', until: null, failures: 0, busy: 0, reason: null, changedAt: null }
  }
  const { failures, busy, reason, changedAt, pausedUntil } = state
  const rest = { failures, busy, reason, changedAt }
  if (state.state === 'closed') {
    return { state: pausedUntil === null ? 'in_use' : 'paused', until: pausedUntil, ...rest }
  }
  // A pause and a breaker hold at the same time, and whichever ends later counts.
  const untilMs = Math.max(state.openUntil?.getTime() ?? 0, pausedUntil?.getTime() ?? 0)
  return {
    state: state.state === 'open' ? 'down' : 'parked',
    until: untilMs <= Date.now() ? null : new Date(untilMs),
    ...rest,
  }
}

export type ResumeOutcome = 'resumed' | 'never used' | 'unknown route'

/** Puts a route back into use in all processes, and has what waits because of it tried at once. */
export async function resumeRoute(db: Database, config: RouteSettings, route: string): Promise<ResumeOutcome> {
  if (await resume(db, route)) {
    return 'resumed'
  }
  return configuredRoutes(config).some(({ name }) => name === route) ? 'never used' : 'unknown route'
}
