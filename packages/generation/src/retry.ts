import type { ErrorCode } from '@wombat/contract'
import { type FailureClass, ProviderError } from './provider.ts'

export interface RetryPolicy {
  /** An image older than this is given up and refunded. */
  readonly deadlineMs: number
  /** The longest that back-off alone waits. */
  readonly maxDelayMs: number
  /** How many unclear outcomes of a paid provider an image may have and still be tried again. */
  readonly unknownLimit: number
  /** False gives up a paid image at its first unclear outcome. */
  readonly retryUnknown: boolean
}

export interface FailedAttempt {
  readonly failure: FailureClass
  readonly retryAfterMs?: number | undefined
  /** Counted attempts so far, this one included. */
  readonly attempts: number
  /** Attempts with an unclear outcome so far, this one included. */
  readonly unknownAttempts: number
  /** Attempts that ended without a picture and without a reason so far, this one included. */
  readonly noPictureAttempts: number
  /** A repeated call costs money. */
  readonly isPaid: boolean
  /** Since the image was ordered. */
  readonly ageMs: number
  /** From 0 to below 1, as Math.random. */
  readonly random: () => number
}

export type RetryDecision =
  | { readonly action: 'retry'; readonly delayMs: number; readonly counts: boolean }
  | {
      readonly action: 'fail'
      readonly code: Extract<
        ErrorCode,
        'moderation_refused' | 'bad_reference' | 'generation_failed' | 'generation_deadline'
      >
    }

const FIRST_DELAY_MS = 1000
/** providers.md §5: an upstream that gives no picture and no reason is asked twice more. */
const NO_PICTURE_RETRIES = 2
const LONGEST_RETRY_AFTER_MS = 600_000
/** What an upstream that says "slow down" but not for how long gets. */
const THROTTLE_FLOOR_MS = 5000

const COUNTED: ReadonlySet<FailureClass> = new Set(['transient', 'no_picture', 'unknown'])

/** What becomes of an image after a failed attempt: the only place that decides it. */
export function decideRetry(attempt: FailedAttempt, policy: RetryPolicy): RetryDecision {
  const verdict = finalCode(attempt, policy)
  if (verdict !== undefined) {
    return { action: 'fail', code: verdict }
  }
  const restMs = policy.deadlineMs - attempt.ageMs
  if (restMs <= 0) {
    return { action: 'fail', code: 'generation_deadline' }
  }
  // The last wait ends at the deadline, so that a refund is never later than promised.
  const delayMs = Math.min(restMs, Math.ceil(waitMs(attempt, policy)))
  return { action: 'retry', delayMs, counts: COUNTED.has(attempt.failure) }
}

/** The class of anything that was thrown; what is not understood is tried again up to the deadline. */
export function failureOf(error: unknown): FailureClass {
  return error instanceof ProviderError ? error.failure : 'transient'
}

function finalCode(
  attempt: FailedAttempt,
  policy: RetryPolicy,
): Extract<RetryDecision, { action: 'fail' }>['code'] | undefined {
  switch (attempt.failure) {
    case 'moderation':
      return 'moderation_refused'
    case 'bad_reference':
      return 'bad_reference'
    case 'mistake':
      return 'generation_failed'
    case 'unknown':
      if (!attempt.isPaid || (policy.retryUnknown && attempt.unknownAttempts <= policy.unknownLimit)) {
        return undefined
      }
      return 'generation_failed'
    case 'no_picture':
      return attempt.noPictureAttempts > NO_PICTURE_RETRIES ? 'generation_failed' : undefined
    case 'credentials':
    case 'throttled':
    case 'transient':
      return undefined
  }
}

/** Full jitter under a doubling cap; what the upstream asks for is a floor, with the jitter on top. */
function waitMs(attempt: FailedAttempt, policy: RetryPolicy): number {
  const jitter = attempt.random()
  const cap = Math.min(policy.maxDelayMs, FIRST_DELAY_MS * 2 ** Math.min(40, Math.max(0, attempt.attempts)))
  const asked =
    attempt.retryAfterMs === undefined ? undefined : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, attempt.retryAfterMs))
  // A key or an account is mended by a person, not by haste.
  if (attempt.failure === 'credentials') {
    return (asked ?? policy.maxDelayMs / 2) + (jitter * policy.maxDelayMs) / 2
  }
  const floor = asked ?? (attempt.failure === 'throttled' ? Math.min(THROTTLE_FLOOR_MS, policy.maxDelayMs) : 0)
  return floor + jitter * Math.max(cap, floor / 4)
}
