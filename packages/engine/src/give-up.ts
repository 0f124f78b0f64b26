import { decideRetry, type FailureClass, failureOf, type OpenRoute, ProviderError } from '@wombat/generation'
import { type ClaimedImage, countAttempts, requeueImage } from '@wombat/images'
import { failImage } from '@wombat/ledger'
import { StillDownError } from './breaker.ts'
import { countFailure } from './count-failure.ts'
import type { Engine } from './engine.ts'
import { unknownLimit } from './limits.ts'
import { describeError } from './logger.ts'

type FinalCode = Extract<ReturnType<typeof decideRetry>, { action: 'fail' }>['code']

const MESSAGES: Readonly<Record<FinalCode, string>> = {
  moderation_refused: 'The image model refused this request for its content',
  bad_reference: 'A reference image could not be fetched or used.',
  generation_deadline: 'The image was not made before its deadline.',
  generation_failed: 'The image could not be made.',
}

/**
 * After a failed try: queues the image again for later, or fails it and gives the credits back. An error that nobody
 * foresaw counts as passing, up to the deadline: nothing is dropped.
 */
export async function settleFailure(
  engine: Engine,
  image: ClaimedImage,
  error: unknown,
  context: {
    isStopping: boolean
    /** Since the claim. */
    elapsedMs: number
    /** Of the last call. */
    route: OpenRoute | undefined
    /** The model has routes that were not tried, because none of them was free. */
    areRoutesLeft: boolean
  },
): Promise<void> {
  const { imageId, fence } = image
  const ids = { imageId, ...engine.tracing.ids(image.requestId) }
  if (error instanceof StillDownError || (context.isStopping && mayBeHandedBack(error))) {
    await requeueImage(engine.db, { imageId, fence, delayMs: 0 })
    engine.log.info({ ...ids, why: describeError(error).message }, 'image handed back')
    return
  }
  const failure = classOf(error, context.areRoutesLeft)
  const decision = await decide(engine, image, error, { ...context, failure })
  const route = context.route?.name
  if (decision.action === 'retry') {
    // A parked route keeps its images by itself, and must find them due at the moment it is back.
    const isKept = failure === 'credentials' && route !== undefined && image.simulate === undefined
    const delayMs = isKept ? 0 : decision.delayMs
    if (await requeueImage(engine.db, { imageId, fence, delayMs })) {
      engine.log.warn(
        { ...ids, route, failure, inMs: Math.round(delayMs), err: describeError(error) },
        'image will be tried again',
      )
    }
    return
  }
  if (await failImage(engine.db, { imageId, fence, code: decision.code, message: messageFor(decision.code, error) })) {
    await countFailure(engine, imageId, decision.code)
    // A mistake is ours: the adapter's or the configuration's.
    const level = failure === 'mistake' ? 'error' : 'warn'
    engine.log[level](
      { ...ids, route, failure, code: decision.code, err: describeError(error) },
      'image failed, credits returned',
    )
  }
}

/** What may have been paid for is not simply done again because we stop. */
function mayBeHandedBack(error: unknown): boolean {
  return failureOf(error) !== 'unknown' || (error instanceof ProviderError && error.isJobAlive)
}

/** What one upstream calls a mistake, another may take. */
function classOf(error: unknown, areRoutesLeft: boolean): FailureClass {
  const failure = failureOf(error)
  return failure === 'mistake' && areRoutesLeft ? 'transient' : failure
}

async function decide(
  engine: Engine,
  image: ClaimedImage,
  error: unknown,
  context: { failure: FailureClass; elapsedMs: number; route: OpenRoute | undefined },
) {
  const isPaid = context.route?.provider.isPaid ?? false
  const { maybePaid, counted, noPicture } = await countAttempts(engine.db, image.imageId, { isPaid })
  return decideRetry(
    {
      failure: context.failure,
      retryAfterMs: error instanceof ProviderError ? error.retryAfterMs : undefined,
      // A job that goes on has one attempt, however often it is asked for.
      attempts: error instanceof ProviderError && error.isJobAlive ? image.fence : counted,
      unknownAttempts: maybePaid,
      noPictureAttempts: noPicture,
      isPaid,
      ageMs: image.ageMs + context.elapsedMs,
      random: Math.random,
    },
    {
      deadlineMs: image.ageMs + image.remainingMs,
      maxDelayMs: engine.config.RETRY_MAX_DELAY_SECONDS * 1000,
      unknownLimit: unknownLimit(engine.config, isPaid),
      retryUnknown: engine.config.RETRY_UNKNOWN || !isPaid,
    },
  )
}

/** The upstream's category is a word that it chose from its own list; its sentences stay in the log. */
function messageFor(code: FinalCode, error: unknown): string {
  if (code !== 'moderation_refused') {
    return MESSAGES[code]
  }
  const reason = error instanceof ProviderError ? error.reason : undefined
  return reason === undefined ? `${MESSAGES[code]}.` : `${MESSAGES[code]}: ${reason}.`
}
