const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How long until the next midnight in California, where Google's quotas of a day begin anew; never 0. */
export function untilPacificMidnightMs(nowMs: number): number {
  const { year, month, day } = pacificTime(nowMs)
  const tomorrowMs = Date.UTC(year, month - 1, day) + DAY_MS
  // Midnight is at 7:00 UTC in summer and at 8:00 in winter. At 7:00 in winter it is still the day before.
  const summerMs = tomorrowMs + 7 * HOUR_MS
  const isSummer = pacificTime(summerMs).hour === 0
  return (isSummer ? summerMs : summerMs + HOUR_MS) - nowMs
}

interface PacificTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
}

function pacificTime(atMs: number): PacificTime {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: 'America/Los_Angeles',
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
  })
  const parts = format.formatToParts(atMs)
  const read = (type: Intl.DateTimeFormatPartTypes): number =>
    Number(parts.find((part) => part.type === type)?.value ?? Number.NaN)
  return { year: read('year'), month: read('month'), day: read('day'), hour: read('hour') }
}
