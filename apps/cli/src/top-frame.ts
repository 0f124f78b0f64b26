import type { Overview, RouteLine } from '@wombat/engine'
import { count, plain, table, time } from './format.ts'

export interface Screen {
  readonly columns: number
  readonly rows: number
}

type Line = Overview['routes'][number]

const QUEUE_TITLES = ['MODEL', 'QUEUED', 'DUE', 'OLDEST', 'MAKING', 'READY/MIN']
const ROUTE_TITLES = ['ROUTE', 'STATE', 'CALLS', 'CALLS/MIN', 'FAILED', 'LATENCY']
/** What stands above and below the routes, their own titles included. */
const OTHER_ROWS = 8
const MOST_NAME = 24

/** One frame that fits the screen, or all of it where there is none. */
export function topFrame(overview: Overview, screen: Screen | undefined): string {
  const { at, models, routes, lastMinute } = overview
  const room = screen === undefined ? routes.length : Math.max(1, screen.rows - OTHER_ROWS - models.length)
  const shown = routes.length <= room ? routes : byNeed(routes).slice(0, Math.max(0, room - 1))
  const failures = Object.entries(lastMinute.failures).map(([failure, calls]) => `${failure} ${count(calls)}`)
  const lines = [
    `wombat top  ${time(at)}`,
    '',
    `last minute: ${count(lastMinute.ordered)} ordered, ${count(lastMinute.ready)} ready, ${count(lastMinute.failed)} failed; ` +
      `credits: ${count(lastMinute.creditsCharged)} charged, ${count(lastMinute.creditsRefunded)} returned`,
    `calls that failed: ${failures.length === 0 ? 'none' : failures.join(', ')}`,
    '',
    ...table(QUEUE_TITLES, models.map(toQueueRow), [1, 2, 3, 4, 5]).split('\n'),
    '',
    ...table(ROUTE_TITLES, shown.map(toRouteRow), [2, 3, 4, 5]).split('\n'),
    ...(shown.length < routes.length ? [`and ${routes.length - shown.length} more: \`wombat route list\``] : []),
  ]
  return (screen === undefined ? lines : lines.slice(0, screen.rows).map((line) => clip(line, screen.columns))).join(
    '\n',
  )
}

function toQueueRow({ model, queued, due, oldestDueSeconds, generating, lastReady }: Overview['models'][number]) {
  return [
    model,
    count(queued),
    count(due),
    due === 0 ? '-' : duration(oldestDueSeconds),
    count(generating),
    count(lastReady),
  ]
}

function toRouteRow({ route, state, until, busy, concurrency, lastCalls, lastFailed, lastLatencyMs }: Line): string[] {
  return [
    clip(plain(route), MOST_NAME),
    inWords({ state, until }),
    concurrency === null ? count(busy) : `${count(busy)} of ${count(concurrency)}`,
    count(lastCalls),
    count(lastFailed),
    lastLatencyMs === null ? '-' : `${(lastLatencyMs / 1000).toFixed(1)} s`,
  ]
}

function inWords({ state, until }: Pick<RouteLine, 'state' | 'until'>): string {
  const words = { unused: 'not used yet', in_use: 'in use', paused: 'paused', down: 'DOWN', parked: 'PARKED' }[state]
  const leftSeconds = until === null ? 0 : (until.getTime() - Date.now()) / 1000
  return leftSeconds <= 0 ? words : `${words} for ${duration(leftSeconds)}`
}

/** Those that need somebody come first; the others stay in their order. */
function byNeed(routes: readonly Line[]): Line[] {
  const rank = ({ state, lastCalls }: Line) => (state === 'parked' || state === 'down' ? 0 : lastCalls > 0 ? 1 : 2)
  return routes.toSorted((a, b) => rank(a) - rank(b))
}

/** Two units at most: "45 s", "12 m 3 s", "3 h 20 m", "2 d 4 h". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const units: readonly (readonly [name: string, length: number])[] = [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ]
  const first = units.findIndex(([, length]) => whole >= length)
  if (first < 0) {
    return '0 s'
  }
  const parts = units.slice(first, first + 2).map(([name, length], place) => {
    const amount = place === 0 ? Math.floor(whole / length) : Math.floor((whole % (units[first]?.[1] ?? 1)) / length)
    return [name, amount] as const
  })
  return parts
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => `${amount} ${name}`)
    .join(' ')
}

function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, Math.max(0, length - 1))}…` : text
}
