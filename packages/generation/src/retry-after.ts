/**
 * How long an upstream asks us to wait, in any of the forms that are seen: `retry-after-ms`, `retry-after` as seconds
 * or as a date, and as words in the message ("Please try again in 1m30s"). Undefined when it does not say.
 */
export function readRetryAfterMs(headers: Headers, message: string, nowMs: number): number | undefined {
  return (
    positive(headers.get('retry-after-ms'), 1) ??
    positive(headers.get('retry-after'), 1000) ??
    untilDate(headers.get('retry-after'), headers.get('date'), nowMs) ??
    fromWords(message)
  )
}

function positive(text: string | null, unitMs: number): number | undefined {
  if (text === null || !/^\s*\d+(\.\d+)?\s*$/.test(text)) {
    return undefined
  }
  return Math.ceil(Number(text) * unitMs)
}

/** Measured from the upstream's own clock where it tells it, for ours may be wrong. */
function untilDate(text: string | null, date: string | null, nowMs: number): number | undefined {
  const until = text !== null && /\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(until)) {
    return undefined
  }
  const upstreamNow = date === null ? Number.NaN : Date.parse(date)
  return Math.max(0, until - (Number.isNaN(upstreamNow) ? nowMs : upstreamNow))
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  milli: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
}

function fromWords(message: string): number | undefined {
  const wait =
    /(?:try again|retry|wait)\s+(?:in|after|for)?\s*(?:about\s+)?((?:\d{1,9}(?:\.\d{1,9})?\s?[a-z]{1,12}[\s,]{0,2}){1,4})/i.exec(
      message.slice(0, 2000),
    )?.[1]
  if (wait === undefined) {
    return undefined
  }
  let totalMs = 0
  for (const [, amount, unit] of wait.matchAll(/(\d+(?:\.\d+)?)\s?(milli|ms|sec|s|min|m|hour|h)/gi)) {
    totalMs += Number(amount) * (UNIT_MS[unit?.toLowerCase() ?? ''] ?? 0)
  }
  return totalMs > 0 ? Math.ceil(totalMs) : undefined
}
