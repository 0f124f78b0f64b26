import { isModelId } from '@wombat/contract'
import { decideRetry, failureOf, ProviderError } from '@wombat/generation'
import { type ClaimedImage, countAttempts, requeueImage } from '@wombat/images'
import { failImage } from '@wombat/ledger'
import type { Engine } from './engine.ts'
import { unknownLimit } from './limits.ts'
import { describeError } from './logger.ts'

const MESSAGES: Record<string, string> = {
  moderation_refused: 'The image model refused this prompt for its content.',
  bad_reference: 'A reference image could not be fetched or used.',
  generation_deadline: 'The image was not made before its deadline.',
  generation_failed: 'The image could not be made.',
}

/**
 * After a failed try: queues the image again for later, or fails it and gives the credits back. An error that nobody
 * foresaw counts as passing, up to the deadline: nothing is dropped. `elapsedMs` is the time since the claim.
 */
export async function settleFailure(
  engine: Engine,
  image: ClaimedImage,
  error: unknown,
  options: { isStopping: boolean; elapsedMs: number },
): Promise<void> {
  const { imageId, fence } = image
  const failure = failureOf(error)
  if (options.isStopping) {
    await requeueImage(engine.db, { imageId, fence, delayMs: 0 })
    engine.log.info({ imageId }, 'image handed back at shutdown')
    return
  }
  const provider = isModelId(image.model) ? engine.models.provider(image.model) : undefined
  const { maybePaid, counted } = await countAttempts(engine.db, imageId)
  const decision = decideRetry(
    {
      failure,
      retryAfterMs: error instanceof ProviderError ? error.retryAfterMs : undefined,
      attempts: counted,
      unknownAttempts: maybePaid,
      noPictureAttempts: 0,
      isPaid: provider?.isPaid ?? false,
      ageMs: image.ageMs + options.elapsedMs,
      random: Math.random,
    },
    {
      deadlineMs: image.ageMs + image.remainingMs,
      maxDelayMs: engine.config.RETRY_MAX_DELAY_SECONDS * 1000,
      unknownLimit: unknownLimit(engine.config, provider?.isPaid ?? false),
      retryUnknown: engine.config.RETRY_UNKNOWN || provider?.isPaid === false,
    },
  )
  if (decision.action === 'retry') {
    const isHeld = await requeueImage(engine.db, { imageId, fence, delayMs: decision.delayMs })
    if (isHeld) {
      engine.log.warn(
        { imageId, failure, inMs: Math.round(decision.delayMs), err: describeError(error) },
        'image will be tried again',
      )
    }
    return
  }
  const message = MESSAGES[decision.code] ?? 'The image could not be made.'
  if (await failImage(engine.db, { imageId, fence, code: decision.code, message })) {
    engine.log.warn(
      { imageId, failure, code: decision.code, err: describeError(error) },
      'image failed, credits returned',
    )
  }
}
