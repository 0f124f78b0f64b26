import { createHash } from 'node:crypto'
import type { AuthenticatedKey } from '@wombat/accounts'
import { ApiError, formatSimulation, formatSize, type GenerationOrder, newImageId, type Tags } from '@wombat/contract'
import { countRefusals, findReplay, findRequestImages } from '@wombat/images'
import { type AcceptOutcome, type AcceptRequest, findBalance, isOverBudget } from '@wombat/ledger'
import { actOut } from './act-out.ts'
import type { Engine } from './engine.ts'
import { assertInPlan, assertKeyAllows, budgetExceeded } from './key-limits.ts'
import { deadlineHoursOf } from './plans.ts'

/** The answer of a POST: the body, and what its headers say. */
export interface RequestAnswer {
  readonly images: readonly { url: string; alt: string }[]
  readonly isReplayed: boolean
  readonly creditsCharged: number
  readonly creditsRemaining: number
  readonly size: string
  readonly quality: string
  readonly provider: string
  readonly ignoredParams: readonly string[]
}

/** What a POST says besides its body. */
export interface RequestContext {
  readonly idempotencyKey: string | undefined
  readonly tags: Tags | undefined
  /** A random UUID: the id of what is recorded, and of its trace. */
  readonly requestId: string
}

const ACCOUNT_DISABLED = 'This account is disabled. Ask who runs this server.'
const IDEMPOTENCY_KEY = /^[\x21-\x7e][\x20-\x7e]{0,254}$/

/**
 * Takes the credits and records the images in one transaction, and returns their URLs at once. Throws ApiError in the
 * order of the contract: 400, 403, 409, 402. Once the transaction is committed nothing can fail it any more.
 */
export async function requestImages(
  engine: Engine,
  key: AuthenticatedKey,
  order: GenerationOrder,
  { idempotencyKey, tags, requestId }: RequestContext,
): Promise<RequestAnswer> {
  const idempotency = idempotencyKey === undefined ? undefined : fingerprint(order, idempotencyKey)
  // What was granted once is answered again, although the plan or the providers have changed since.
  const isReplay = idempotency !== undefined && (await findReplay(engine.db, key.accountId, idempotency.keyHash))
  if (!isReplay) {
    assertMayRequest(engine, key, order)
  }
  const { routes } = engine.models.find(order.model)
  const price = order.creditsPerImage * order.numImages
  const { simulation } = order
  const isHopeless = isReplay || simulation?.error !== undefined
  const { prompt, alt } = await writePrompt(engine, key, order, { price, isHopeless })
  const request: AcceptRequest = {
    id: requestId,
    accountId: key.accountId,
    keyId: key.keyId,
    idempotency,
    model: order.model,
    quality: order.quality,
    style: order.style,
    isStyleGiven: order.styleGiven,
    width: order.size.width,
    height: order.size.height,
    prompt: order.prompt,
    isEnhanced: order.enhancePrompt,
    finalPrompt: prompt,
    alt,
    isAltWanted: order.generateAltText,
    referenceImages: order.referenceImages,
    isOriginalPreserved: order.preserveOriginal,
    creditsPerImage: order.creditsPerImage,
    imageIds: Array.from({ length: order.numImages }, newImageId),
    plan: key.plan.name,
    deadlineHours: deadlineHoursOf(engine.config, key.plan),
    simulate: simulation && formatSimulation(simulation),
    tags,
  }
  const outcome =
    simulation?.error === undefined
      ? await engine.acceptor.accept(request)
      : await actOut(engine, simulation.error, { accountId: key.accountId, price, isReplay })
  refuse(outcome, price)
  const isReplayed = outcome.status === 'replay'
  if (!isReplayed) {
    engine.metrics.countOrder({ model: order.model, images: order.numImages, credits: price })
  }
  if (!isReplayed && routes.length > 0) {
    engine.announcer.announce(
      order.model,
      request.imageIds.map((imageId) => ({ imageId, fence: 0 })),
    )
  }
  const images = isReplayed
    ? await findRequestImages(engine.db, outcome.requestId)
    : request.imageIds.map((id) => ({ id, alt }))
  return {
    images: images.map((image) => ({ url: imageUrl(engine, image.id), alt: image.alt })),
    isReplayed,
    creditsCharged: isReplayed ? 0 : price,
    creditsRemaining: outcome.balance,
    size: formatSize(order.size),
    quality: order.quality,
    provider: routes[0]?.provider.name ?? 'none',
    ignoredParams: order.ignoredParams,
  }
}

/**
 * Throws ApiError('rate_limited') for a key whose requests were refused for their content too often in the last hour:
 * such a client costs the operator his standing with the upstream.
 */
export async function assertNotRefusedTooOften(engine: Engine, key: AuthenticatedKey): Promise<void> {
  const limit = engine.config.MODERATION_REFUSALS_PER_HOUR
  if (limit !== undefined && (await countRefusals(engine.db, key)) >= limit) {
    throw new ApiError(
      'rate_limited',
      `Too many requests of this API key were refused for their content: ${limit} an hour are allowed. Try again later.`,
      { details: { scope: 'moderation', limit, windowSeconds: 3600 }, retryAfterSeconds: 600 },
    )
  }
}

/** The checks that need no transaction: 400 before 403. Each also where the request asks for its failure. */
export function assertMayRequest(engine: Engine, key: AuthenticatedKey, order: GenerationOrder): void {
  const wanted = order.simulation?.error
  const { routes, reason } = engine.models.find(order.model)
  if (routes.length === 0 || wanted === 'model_unavailable') {
    const why = routes.length === 0 ? reason : 'simulated'
    throw new ApiError('model_unavailable', `This server has no provider for the model ${order.model}: ${why}.`)
  }
  if (key.isAccountDisabled || wanted === 'account_disabled') {
    throw new ApiError('account_disabled', ACCOUNT_DISABLED)
  }
  assertInPlan(key, order, wanted === 'plan_required')
  assertKeyAllows(key, order)
}

/** The public address of an image: made when it is shown, never stored, so that a server can move. */
export function imageUrl(engine: Pick<Engine, 'publicUrl'>, imageId: string): string {
  return `${engine.publicUrl}/api/image/${imageId}.jpg`
}

export function refuse(outcome: AcceptOutcome, price: number): void {
  switch (outcome.status) {
    case 'accepted':
    case 'replay':
      return
    case 'disabled':
      throw new ApiError('account_disabled', ACCOUNT_DISABLED)
    case 'conflict':
      throw new ApiError(
        'idempotency_conflict',
        'This Idempotency-Key was used within the last 24 hours with another request. Use a new key for a new request.',
      )
    case 'over budget':
      throw budgetExceeded(outcome.budget, price)
    case 'insufficient':
      throw new ApiError(
        'insufficient_credits',
        `This request costs ${price} credits and the account has ${outcome.balance}.`,
        { details: { required: price, available: outcome.balance } },
      )
  }
}

/** The body is compared by what it means, so that other white space or order of fields is the same request. */
export function fingerprint(order: GenerationOrder, idempotencyKey: string): { keyHash: string; bodyHash: string } {
  if (!IDEMPOTENCY_KEY.test(idempotencyKey)) {
    throw new ApiError('invalid_request', 'The header Idempotency-Key must be 1 to 255 printable ASCII characters.', {
      details: { field: 'Idempotency-Key' },
    })
  }
  const { ignoredParams: _, ...meaning } = order
  return { keyHash: sha256(idempotencyKey), bodyHash: sha256(JSON.stringify(meaning)) }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/**
 * What is known at the POST: all of it when the enhancer is a local one or has nothing to do; else the alt text when
 * it is asked for, with the prompt from the same call; else the worker asks later and the prompt stays undefined.
 */
async function writePrompt(
  engine: Engine,
  key: AuthenticatedKey,
  order: GenerationOrder,
  request: { price: number; isHopeless: boolean },
): Promise<{ prompt: string | undefined; alt: string }> {
  const wish = {
    prompt: order.prompt,
    style: order.style,
    styleGiven: order.styleGiven,
    enhance: order.enhancePrompt,
    alt: order.generateAltText,
  }
  const never = new AbortController().signal
  if (engine.enhancer.isLocal || (!order.enhancePrompt && !order.generateAltText)) {
    const { prompt, alt } = await engine.localEnhancer.enhance(wish, never)
    return { prompt, alt: order.generateAltText ? alt : '' }
  }
  if (!order.generateAltText) {
    return { prompt: undefined, alt: '' }
  }
  // No call to an upstream for a request that is going to be refused or replayed; the transaction decides all the same.
  const isHopeless =
    request.isHopeless ||
    (await findBalance(engine.db, key.accountId)) < request.price ||
    (key.hasBudget && (await isOverBudget(engine.db, key.keyId, request.price)))
  const enhancer = isHopeless ? engine.localEnhancer : engine.enhancer
  return await enhancer.enhance(wish, AbortSignal.timeout(engine.config.ALT_TEXT_TIMEOUT_MS))
}
