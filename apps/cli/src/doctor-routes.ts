import type { DatabaseFacts } from '@wombat/engine'
import { time } from './format.ts'
import type { Settings } from './settings.ts'

interface RouteFinding {
  readonly what: string
  readonly outcome: 'warning'
  readonly detail: string
  readonly remedy: string
}

/** A route that was mended stays closed for a while, and nobody would know why its images still wait. */
export function describeRoutes(
  { closedRoutes }: Pick<DatabaseFacts, 'closedRoutes'>,
  { config }: Settings,
): RouteFinding[] {
  return closedRoutes
    .filter(({ route }) => config.routes.some(({ name }) => name === route))
    .map(({ route, state, openUntil, reason }) => ({
      what: `route ${route}`,
      outcome: 'warning',
      detail: `${state === 'parked' ? 'parked' : 'down'} until ${openUntil === null ? 'its next trial' : time(openUntil)}: ${reason ?? ''}`,
      remedy: `when it is mended, \`wombat route resume ${route}\` uses it at once`,
    }))
}
