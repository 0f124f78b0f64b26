import { untilPacificMidnightMs } from './pacific-midnight.ts'
import { type FailureClass, ProviderError } from './provider.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { isRecord, shorten, textField } from './untrusted.ts'
import type { UpstreamAnswer } from './upstream-call.ts'

export interface GeminiErrorContext {
  readonly apiKey: string
  /** Is kept out of messages. */
  readonly prompt: string
  readonly hasReferences: boolean
  readonly nowMs: number
}

/** What Gemini said with an error. */
interface Refusal {
  readonly status: number
  /** False for what is not in Google's form: a page of a proxy, or of Google's own front. */
  readonly isTold: boolean
  /** Such as INVALID_ARGUMENT. */
  readonly word: string | undefined
  readonly message: string
  readonly details: readonly unknown[]
}

const HOUR_MS = 3_600_000
/** A shorter prompt tells nothing, and its letters are everywhere. */
const SHORTEST_HIDDEN = 4
const CREDENTIAL_STATUSES = new Set([401, 402, 403, 407])
const MISTAKE_STATUSES = new Set([400, 404, 405, 406, 410, 411, 415, 422])
/** A request that is too large stays it, whoever says so and however; only references make one so large. */
const TOO_LARGE_STATUSES = new Set([413, 414, 431])

/** The class of an answer that is not 2xx. What is none of the known final shapes is never final. */
export function classifyGeminiError(answer: UpstreamAnswer, context: GeminiErrorContext): ProviderError {
  const refusal = toRefusal(answer)
  const failure = classify(refusal, context)
  const askedMs = readDelayMs(refusal.details) ?? readRetryAfterMs(answer.headers, refusal.message, context.nowMs)
  return new ProviderError(failure, describe(refusal, context), {
    status: refusal.status,
    retryAfterMs: mayWait(failure) ? askedMs : undefined,
    parkMs: failure === 'throttled' && isDayUsedUp(refusal.details) ? parkMs(askedMs, context.nowMs) : undefined,
  })
}

function classify(refusal: Refusal, { hasReferences }: GeminiErrorContext): FailureClass {
  const { status, message, isTold } = refusal
  if (CREDENTIAL_STATUSES.has(status) || isAboutAccount(refusal)) {
    return 'credentials'
  }
  if (status === 429) {
    return 'throttled'
  }
  const isTooLarge = TOO_LARGE_STATUSES.has(status) || (status === 400 && /payload size exceeds/i.test(message))
  const isUnreadable = status === 400 && /unable to process input image|image is not valid/i.test(message)
  if (hasReferences && (isTooLarge || isUnreadable)) {
    return 'bad_reference'
  }
  return isTooLarge || (isTold && MISTAKE_STATUSES.has(status)) ? 'mistake' : 'transient'
}

/** Key, permission or money, where the status alone does not say it. */
function isAboutAccount({ status, word, message, details }: Refusal): boolean {
  if (status === 429) {
    // Seen with accounts that pay in advance; it is no quota and no wait mends it.
    return /credits are depleted/i.test(message)
  }
  if (status !== 400) {
    return false
  }
  if (details.some((detail) => textField(detail, 'reason') === 'API_KEY_INVALID')) {
    return true
  }
  return (
    /api key (not valid|expired)/i.test(message) ||
    (word === 'FAILED_PRECONDITION' && /billing|location|country|region|free tier/i.test(message))
  )
}

function mayWait(failure: FailureClass): boolean {
  return failure === 'throttled' || failure === 'transient' || failure === 'credentials'
}

function toRefusal({ status, json }: UpstreamAnswer): Refusal {
  // The streaming form of the same error is a list of one.
  const body: unknown = Array.isArray(json) ? json[0] : json
  const error = isRecord(body) ? body.error : undefined
  return {
    status,
    isTold: isRecord(error),
    word: textField(error, 'status'),
    message: textField(error, 'message') ?? '',
    details: isRecord(error) && Array.isArray(error.details) ? error.details : [],
  }
}

/** RetryInfo's delay: "46s" and "0.5s" in JSON, and with its parts named in what some gateways make of it. */
function readDelayMs(details: readonly unknown[]): number | undefined {
  for (const detail of details) {
    const delay = isRecord(detail) ? (detail.retryDelay ?? detail.retry_delay) : undefined
    const seconds = isRecord(delay)
      ? toNumber(delay.seconds ?? 0) + toNumber(delay.nanos ?? 0) / 1e9
      : toNumber(typeof delay === 'string' && delay.endsWith('s') ? delay.slice(0, -1) : undefined)
    if (seconds > 0) {
      return Math.ceil(seconds * 1000)
    }
  }
  return undefined
}

function toNumber(value: unknown): number {
  const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d{1,9}(\.\d{1,9})?$/.test(value))
  return isNumber ? Number(value) : Number.NaN
}

function isDayUsedUp(details: readonly unknown[]): boolean {
  const violations = details.flatMap((detail: unknown) =>
    isRecord(detail) && Array.isArray(detail.violations) ? detail.violations : [],
  )
  return violations.some((violation: unknown) => textField(violation, 'quotaId')?.includes('PerDay') === true)
}

/** A short delay beside a quota of the day is that of another quota, or a guess. */
function parkMs(askedMs: number | undefined, nowMs: number): number {
  return askedMs !== undefined && askedMs > HOUR_MS ? askedMs : untilPacificMidnightMs(nowMs)
}

function describe({ status, word, message }: Refusal, { apiKey, prompt }: GeminiErrorContext): string {
  const head = `Gemini answered ${status}${word === undefined ? '' : ` ${shorten(word, apiKey, 40)}`}`
  // Google repeats values that it can't read.
  const bare = prompt.length < SHORTEST_HIDDEN ? message : message.replaceAll(prompt, '[prompt]')
  return bare === '' ? head : `${head}: ${shorten(bare, apiKey, 160)}`
}
