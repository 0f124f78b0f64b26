import { createHash } from 'node:crypto'
import { isModelId, type Quality, type Style } from '@wombat/contract'
import {
  type FailureClass,
  type ImageProvider,
  ProviderError,
  type ProviderImage,
  type Reference,
} from '@wombat/generation'
import {
  addGarbage,
  type ClaimedImage,
  claimImage,
  closeAttempt,
  countAttempts,
  type EncodedImage,
  encodeImage,
  ImageDecodeError,
  makeReady,
  openAttempt,
} from '@wombat/images'
import type { Engine } from './engine.ts'
import { settleFailure } from './give-up.ts'
import { unknownLimit } from './limits.ts'
import { describeError } from './logger.ts'
import { persist } from './persist.ts'
import { finalPrompt } from './prompt.ts'

/** An object that lost the race for its row is read by nobody, but its writer may still be at it. */
const LOSER_REMOVED_AFTER_SECONDS = 60

/**
 * Makes one image: claim, prompt, references, provider, encode, store, and one transaction for ready and NOTIFY. A
 * job that comes twice or late finds nothing to claim and ends. Whatever goes wrong ends in another try or a refund.
 */
export async function produceImage(engine: Engine, imageId: string, stop: AbortSignal): Promise<void> {
  const image = await claimImage(engine.db, {
    imageId,
    owner: engine.identity,
    leaseSeconds: engine.config.LEASE_SECONDS,
  })
  if (image === undefined) {
    return
  }
  using lease = engine.leases.hold(image, stop)
  const startedMs = performance.now()
  try {
    const made = await makeImage(engine, image, { signal: lease.signal, deadlineMs: startedMs + image.remainingMs })
    if (made !== undefined) {
      const seconds = (performance.now() - startedMs) / 1000
      engine.timing.record(image.model, seconds)
      engine.log.info(
        { imageId, model: image.model, provider: made.provider, bytes: made.bytes, ms: Math.round(seconds * 1000) },
        'image ready',
      )
    }
  } catch (error) {
    await settleFailure(engine, image, error, { isStopping: stop.aborted, elapsedMs: performance.now() - startedMs })
  }
}

interface Limits {
  /** Aborted when the claim is lost or the process stops. */
  readonly signal: AbortSignal
  /** On the clock of performance.now(). */
  readonly deadlineMs: number
}

/** Undefined: the claim was lost on the way, and another worker has the image. */
async function makeImage(
  engine: Engine,
  image: ClaimedImage,
  limits: Limits,
): Promise<{ provider: string; bytes: number } | undefined> {
  const { signal } = limits
  const provider = isModelId(image.model) ? engine.models.provider(image.model) : undefined
  if (provider === undefined) {
    throw new ProviderError('credentials', `no provider serves ${image.model} at present`)
  }
  if (image.remainingMs <= 0) {
    throw new ProviderError('transient', 'the deadline has passed')
  }
  if (image.fence > 1 && (await isOverPaidLimit(engine, image, provider))) {
    throw new ProviderError('unknown', 'the limit of calls with an unknown outcome is reached')
  }
  const prompt = await finalPrompt(engine, image, signal)
  const references = await engine.references.load(image, signal)
  const attemptId = await openAttempt(engine.db, {
    imageId: image.imageId,
    fence: image.fence,
    provider: provider.name,
    isPaid: provider.isPaid,
  })
  if (attemptId === undefined) {
    return undefined
  }
  const encoded = await callProvider(engine, { image, provider, prompt, references, attemptId }, signal)
  return (await publish(engine, image, provider, encoded, limits))
    ? { provider: provider.name, bytes: encoded.bytes.length }
    : undefined
}

async function isOverPaidLimit(engine: Engine, image: ClaimedImage, provider: ImageProvider): Promise<boolean> {
  const { maybePaid } = await countAttempts(engine.db, image.imageId)
  return maybePaid > unknownLimit(engine.config, provider.isPaid)
}

/** Sends the one call of this attempt and writes its outcome down, whatever it is. */
async function callProvider(
  engine: Engine,
  call: {
    image: ClaimedImage
    provider: ImageProvider
    prompt: string
    references: readonly Reference[]
    attemptId: string
  },
  signal: AbortSignal,
): Promise<EncodedImage> {
  const { image, provider, attemptId } = call
  let answer: ProviderImage | undefined
  try {
    answer = await provider.generate(
      {
        imageId: image.imageId,
        // Both come from columns that only validated orders were written to.
        model: image.model as Parameters<ImageProvider['generate']>[0]['model'],
        quality: image.quality as Quality,
        style: image.style as Style,
        prompt: call.prompt,
        originalPrompt: image.prompt,
        width: image.width,
        height: image.height,
        index: image.position,
        isOriginalPreserved: image.isOriginalPreserved,
        references: call.references,
        referenceUrls: image.referenceImages,
        ageMs: image.ageMs,
        onJob: async () => {},
        endUser: createHash('sha256').update(image.accountId).digest('hex').slice(0, 32),
      },
      signal,
    )
    const encoded = await encodeImage(answer.bytes, image)
    await closeAttempt(engine.db, attemptId, { outcome: 'done', ...meter(answer) })
    return encoded
  } catch (error) {
    const known = toProviderError(error)
    await closeAttempt(engine.db, attemptId, {
      outcome: OUTCOMES[known.failure],
      failure: known.failure,
      message: known.message,
      ...(answer === undefined ? { upstreamId: known.upstreamId } : meter(answer)),
    })
    throw known
  }
}

function meter({ upstreamId, usage, costMicroUsd }: ProviderImage) {
  return { upstreamId, usage, costMicroUsd }
}

const OUTCOMES: Record<FailureClass, 'refused' | 'not_sent' | 'unknown'> = {
  moderation: 'refused',
  bad_reference: 'refused',
  mistake: 'refused',
  credentials: 'not_sent',
  throttled: 'not_sent',
  transient: 'not_sent',
  no_picture: 'refused',
  unknown: 'unknown',
}

/** A picture that can't be decoded was perhaps paid for, and so was whatever broke in a way nobody foresaw. */
function toProviderError(error: unknown): ProviderError {
  if (error instanceof ProviderError) {
    return error
  }
  const message =
    error instanceof ImageDecodeError ? `undecodable picture: ${error.message}` : describeError(error).message
  return new ProviderError('unknown', message, { cause: error })
}

/**
 * Stores the bytes under a name of this claim's own and points the row at them. The picture exists and may have been
 * paid for, so a store or database that is away is waited for as long as the claim holds, up to the image's deadline.
 */
async function publish(
  engine: Engine,
  image: ClaimedImage,
  provider: ImageProvider,
  encoded: EncodedImage,
  limits: Limits,
): Promise<boolean> {
  const extension = encoded.contentType === 'image/png' ? 'png' : 'jpg'
  const objectKey = `images/${image.imageId.slice(3, 5)}/${image.imageId}/${image.fence}.${extension}`
  const task = { signal: limits.signal, endMs: limits.deadlineMs, log: engine.log, imageId: image.imageId }
  await persist(() => engine.store.put(objectKey, encoded.bytes, encoded.contentType), { ...task, what: 'store' })
  const isReady = await persist(
    () =>
      makeReady(engine.db, {
        imageId: image.imageId,
        fence: image.fence,
        provider: provider.name,
        objectKey,
        contentType: encoded.contentType,
        sizeBytes: encoded.bytes.length,
        sha256: encoded.sha256,
      }),
    { ...task, what: 'database' },
  )
  if (!isReady) {
    // The answer to an UPDATE that was repeated after a lost connection is also "no": dueGarbage keeps what a row names.
    await addGarbage(engine.db, objectKey, LOSER_REMOVED_AFTER_SECONDS)
    engine.log.warn({ imageId: image.imageId, fence: image.fence }, 'image was finished by another worker')
  }
  return isReady
}
