import type { Database, Statement } from '@wombat/database'
import type { RouteCandidate } from './claim.ts'

/*
 * What all processes know of a route: its breaker and its pace. The rules are functions of the database
 * (prisma/migrations), so that any number of workers agree on them.
 */

export interface RouteState {
  readonly route: string
  readonly state: 'closed' | 'open' | 'parked'
  readonly failures: number
  readonly openUntil: Date | null
  readonly pausedUntil: Date | null
  readonly reason: string | null
  readonly changedAt: Date
  /** Calls under way now, in all processes. */
  readonly busy: number
}

const ROOM: Statement = { name: 'lane-room', text: 'SELECT lane_room($1) AS room' }

/** How many calls may begin now on all these routes together. */
export async function countRoom(db: Database, routes: readonly RouteCandidate[]): Promise<number> {
  const [row] = await db.run<{ room: number }>(ROOM, [JSON.stringify(routes)])
  return row?.room ?? 0
}

const CHANGE: Statement = {
  name: 'change-route',
  text: 'SELECT route, is_probe AS "isProbe" FROM change_route($1, $2, $3)',
}

/** Gives a claimed image to the first of other routes that is free. Undefined: none is, or the claim was lost. */
export async function changeRoute(
  db: Database,
  image: { imageId: string; fence: number; routes: readonly RouteCandidate[] },
): Promise<{ route: string; isProbe: boolean } | undefined> {
  const [row] = await db.run<{ route: string; isProbe: boolean }>(CHANGE, [
    image.imageId,
    image.fence,
    JSON.stringify(image.routes),
  ])
  return row
}

/** What a call says of its route. `slow` and `parked` keep it from new calls for `seconds`. */
export type RouteVerdict =
  | { readonly verdict: 'up' | 'down' }
  | { readonly verdict: 'slow' | 'parked'; readonly seconds: number }

export interface BreakerFigures {
  /** Failures in a row that open a route. */
  readonly failures: number
  /** The pause after the first opening, and the longest one, in seconds. */
  readonly firstSeconds: number
  readonly mostSeconds: number
}

export interface RouteChange {
  readonly before: RouteState['state']
  readonly state: RouteState['state']
  readonly openUntil: Date | null
  readonly failures: number
}

const REPORT: Statement = {
  name: 'report-route',
  text: `SELECT state_before AS before, state, open_until AS "openUntil", failures
         FROM report_route($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
}

/** Tells all processes how a call ended for its route. */
export async function reportRoute(
  db: Database,
  report: RouteVerdict & { route: string; imageId: string; reason: string; tookMs: number },
  breaker: BreakerFigures,
): Promise<RouteChange | undefined> {
  const [row] = await db.run<RouteChange>(REPORT, [
    report.route,
    report.imageId,
    report.verdict,
    report.reason.slice(0, 300),
    'seconds' in report ? report.seconds : 0,
    report.tookMs / 1000,
    breaker.failures,
    breaker.firstSeconds,
    breaker.mostSeconds,
  ])
  return row
}

const LIST: Statement = {
  name: 'list-route-states',
  text: `SELECT s.route, s.state, s.failures, s.open_until AS "openUntil",
                CASE WHEN s.paused_until > now() THEN s.paused_until END AS "pausedUntil", s.reason,
                s.changed_at AS "changedAt",
                (SELECT count(*) FROM images i WHERE i.status = 'generating' AND i.route = s.route)::int AS busy
         FROM route_states s ORDER BY s.route`,
}

/** Every route that was ever used, also those that are not configured any more. */
export async function listRouteStates(db: Database): Promise<RouteState[]> {
  return await db.run<RouteState>(LIST, [])
}

const WAKE: Statement = { name: 'wake-route', text: 'SELECT wake_route($1, $2) AS images' }
const WAKE_BATCH = 1000

/** Has tried at once what failed on a route and waits: after it came back. */
export async function wakeRoute(db: Database, route: string): Promise<void> {
  let woken: number
  do {
    const [row] = await db.run<{ images: number }>(WAKE, [route, WAKE_BATCH])
    woken = row?.images ?? 0
  } while (woken === WAKE_BATCH)
}

const RESUME: Statement = { name: 'resume-route', text: 'SELECT resume_route($1) AS "isKnown"' }

/** Puts a route back into use, and has tried at once what waits because of it. False: it was never used. */
export async function resumeRoute(db: Database, route: string): Promise<boolean> {
  const [row] = await db.run<{ isKnown: boolean }>(RESUME, [route])
  if (row?.isKnown !== true) {
    return false
  }
  await wakeRoute(db, route)
  return true
}
