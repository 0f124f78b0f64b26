import { type OpenRoute, ProviderError } from '@wombat/generation'
import { type RouteChange, type RouteVerdict, reportRoute, wakeRoute } from '@wombat/images'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'

/** What an upstream that says "slow down" but not for how long gets. */
const SLOW_SECONDS = 5
/** An upstream that asks for more is asked again after this. */
const MOST_SLOW_SECONDS = 600
const MOST_PARKED_SECONDS = 24 * 3600
/** Every third trial of a route is a real call, for a free check may be broken where the rest works. */
const REAL_TRIAL_EVERY = 3

/** The free check of a closed route failed: no call was made for the image, and it waits as before. */
export class StillDownError extends Error {
  override readonly name = 'StillDownError'
}

/** How a call ended, told to all processes. It never throws: without the database the breaker just learns nothing. */
export async function tellRoute(
  engine: Engine,
  call: { route: OpenRoute; imageId: string; error: ProviderError | undefined; tookMs: number },
): Promise<RouteChange | undefined> {
  const { config } = engine
  const { route, imageId, error, tookMs } = call
  const reason = error === undefined ? '' : `${error.failure}: ${error.message}`
  const most = config.RETRY_MAX_DELAY_SECONDS
  // A job that was taken and is not done yet says nothing of new calls.
  if (error?.isJobAlive === true && (error.failure === 'transient' || error.failure === 'unknown')) {
    return undefined
  }
  try {
    const change = await reportRoute(
      engine.db,
      { ...judge(error, most), route: route.name, imageId, reason, tookMs },
      {
        failures: config.BREAKER_FAILURES,
        firstSeconds: Math.min(most, config.BREAKER_OPEN_SECONDS),
        mostSeconds: most,
      },
    )
    if (change !== undefined && change.before !== change.state) {
      tellOperator(engine, route, change, reason)
      if (change.state === 'closed') {
        await wakeRoute(engine.db, route.name)
      }
    }
    return change
  } catch (fault) {
    engine.log.warn({ route: route.name, err: describeError(fault) }, 'the state of a route could not be written')
    return undefined
  }
}

/** What a failure says of its route rather than of its image. */
function judge(error: ProviderError | undefined, mostDelaySeconds: number): RouteVerdict {
  if (error === undefined) {
    return { verdict: 'up' }
  }
  const askedSeconds = error.retryAfterMs === undefined ? undefined : Math.max(0, error.retryAfterMs / 1000)
  switch (error.failure) {
    case 'moderation':
    case 'bad_reference':
    case 'mistake':
    case 'no_picture':
      return { verdict: 'up' }
    case 'transient':
    case 'unknown':
      return { verdict: 'down' }
    case 'credentials': {
      // A person mends it, not haste; yet it is tried now and then, for nobody else may tell us.
      const seconds = (askedSeconds ?? mostDelaySeconds / 2) + (Math.random() * mostDelaySeconds) / 2
      return { verdict: 'parked', seconds: Math.min(MOST_PARKED_SECONDS, seconds) }
    }
    case 'throttled': {
      if (error.parkMs !== undefined) {
        return { verdict: 'parked', seconds: Math.min(MOST_PARKED_SECONDS, error.parkMs / 1000) }
      }
      const seconds = askedSeconds ?? Math.min(SLOW_SECONDS, mostDelaySeconds)
      return { verdict: 'slow', seconds: Math.min(MOST_SLOW_SECONDS, seconds) }
    }
  }
}

function tellOperator({ log }: Engine, route: OpenRoute, change: RouteChange, reason: string): void {
  const facts = { route: route.name, models: route.models, until: change.openUntil, reason }
  switch (change.state) {
    case 'closed':
      log.info({ route: route.name }, 'route is back in use')
      return
    case 'open':
      log.error(facts, 'route is down: its images wait, and one call at a time finds out whether it is back')
      return
    case 'parked':
      log.error(facts, 'route is parked: mend its key or account, then run "wombat route resume"; its images wait')
      return
  }
}

/**
 * Before an image is risked on a route that was down: the free check, when there is one to be had. Throws
 * StillDownError when that says no.
 */
export async function tryRoute(engine: Engine, route: OpenRoute, imageId: string): Promise<void> {
  if (Math.floor(Math.random() * REAL_TRIAL_EVERY) === 0) {
    return
  }
  try {
    await route.provider.check()
  } catch (fault) {
    const error = fault instanceof ProviderError ? fault : new ProviderError('transient', describeError(fault).message)
    if (judge(error, engine.config.RETRY_MAX_DELAY_SECONDS).verdict !== 'up') {
      await tellRoute(engine, { route, imageId, error, tookMs: 0 })
      throw new StillDownError(`${route.name} is still down: ${error.message}`, { cause: error })
    }
  }
}
