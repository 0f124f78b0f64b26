import { createPoster, type Poster, ProviderError } from '@wombat/generation'
import {
  type ClaimedDelivery,
  claimDeliveries,
  disableWebhook,
  endDelivery,
  giveUpDeliveries,
  hasDueDeliveries,
  postponeDelivery,
} from '@wombat/images'
import type { Engine } from './engine.ts'
import { describeError } from './logger.ts'
import { repeat } from './repeat.ts'
import { messageId, signMessage, toMessage } from './webhook-message.ts'

const LOOK_INTERVAL_MS = 1_000
/** How many messages are under way at once, and how many of them to one webhook. */
const MOST_AT_ONCE = 64
const MOST_EACH = 4
/** Far beyond the limits of one try, so that nobody else sends what is still under way. */
export const LEASE_SECONDS = 60
/** The longest pauses after the first and each later try; the last one for all that follow. */
const PAUSES_SECONDS = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
const GIVE_UP_SECONDS = 3 * 86_400
const BATCH = 1_000
const GONE = 410

/**
 * Sends what the ends of images have left for webhooks, and tries again for three days what was not taken. Any number of
 * processes may run it: a message is one process's at a time, and whoever dies with it leaves it to the others.
 */
export function startWebhooks(engine: Engine): { stop(options: { graceMs: number }): Promise<void> } {
  const sender = openSender(engine)
  const look = repeat(sender.pump, { everyMs: LOOK_INTERVAL_MS, name: 'webhooks', log: engine.log })
  return {
    async stop({ graceMs }) {
      await look.stop()
      await sender.stop(graceMs)
    },
  }
}

interface Sender {
  /** Takes up what is due and can be sent now; returns without waiting for its end. */
  pump(): Promise<void>
  stop(graceMs: number): Promise<void>
}

function openSender(engine: Engine): Sender {
  const poster = createPoster(engine.config.WEBHOOK_ALLOW_HOSTS)
  const calledOff = new AbortController()
  /** What is under way, by webhook: one that is slow gets nothing more until it is through. */
  const running = new Map<string, Promise<void>>()
  let isStopping = false
  let hasWarned = false
  let turn: Promise<void> = Promise.resolve()

  /** One after the other, or two would take up the same webhook. */
  function pump(): Promise<void> {
    const mine = turn.then(takeUp)
    turn = mine.catch(() => {})
    return mine
  }

  async function takeUp() {
    if (engine.publicUrl === '') {
      if (!hasWarned && (await hasDueDeliveries(engine.db))) {
        hasWarned = true
        engine.log.warn('webhooks wait: this process needs PUBLIC_URL to name the images in them')
      }
      return
    }
    const room = MOST_AT_ONCE - running.size * MOST_EACH
    if (room <= 0 || isStopping) {
      return
    }
    const claimed = await claimDeliveries(engine.db, {
      limit: room,
      limitEach: MOST_EACH,
      exceptWebhooks: [...running.keys()],
      leaseSeconds: LEASE_SECONDS,
    })
    for (const [webhookId, batch] of Map.groupBy(claimed, (delivery) => delivery.webhookId)) {
      running.set(webhookId, sendAll(webhookId, batch))
    }
  }

  /** Never rejects. */
  async function sendAll(webhookId: string, batch: readonly ClaimedDelivery[]) {
    const sent = await Promise.all(batch.map((delivery) => sendOne(engine, poster, delivery, calledOff.signal)))
    running.delete(webhookId)
    // A backlog is worked off without a pause, but only while it is taken.
    if (!isStopping && batch.length === MOST_EACH && sent.some((isTaken) => isTaken)) {
      await pump().catch((error: unknown) => logFault(engine, error))
    }
  }

  return {
    pump,
    async stop(graceMs) {
      isStopping = true
      const timer = setTimeout(() => calledOff.abort(), graceMs)
      await turn
      await Promise.all(running.values())
      clearTimeout(timer)
    },
  }
}

/** Sends one message and writes down what came of it; true when it was taken. Never rejects. */
async function sendOne(
  engine: Engine,
  poster: Poster,
  delivery: ClaimedDelivery,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await post(engine, poster, delivery, signal)
    if (answer.httpStatus !== undefined && answer.httpStatus >= 200 && answer.httpStatus < 300) {
      await endDelivery(engine.db, delivery.id, answer.httpStatus)
      return true
    }
    if (answer.httpStatus === GONE) {
      await disable(engine, delivery)
    } else {
      await postpone(engine, delivery, answer, signal.aborted)
    }
  } catch (error) {
    // The database is away: when the lease has run out somebody sends it again.
    logFault(engine, error)
  }
  return false
}

interface Answer {
  readonly httpStatus: number | undefined
  readonly message: string
  readonly retryAfterMs?: number | undefined
}

async function post(engine: Engine, poster: Poster, delivery: ClaimedDelivery, signal: AbortSignal): Promise<Answer> {
  const body = JSON.stringify(toMessage(engine, delivery))
  const headers = signMessage(delivery.secrets, { id: messageId(delivery.id), atMs: Date.now(), body })
  try {
    const { status, retryAfterMs } = await poster.post(delivery.url, { headers, body, signal })
    return { httpStatus: status, message: `answered ${status}`, retryAfterMs }
  } catch (error) {
    if (!(error instanceof ProviderError)) {
      throw error
    }
    return { httpStatus: undefined, message: error.message.slice(0, 200) }
  }
}

async function postpone(
  engine: Engine,
  delivery: ClaimedDelivery,
  { httpStatus, message, retryAfterMs = 0 }: Answer,
  isCalledOff: boolean,
): Promise<void> {
  const { id, tries, webhookId, imageId } = delivery
  const delaySeconds = isCalledOff ? 0 : Math.max(pauseSeconds(tries), retryAfterMs / 1000)
  const status = await postponeDelivery(
    engine.db,
    { id, tries, httpStatus, message },
    { delaySeconds, giveUpSeconds: GIVE_UP_SECONDS },
  )
  const fields = { webhookId, deliveryId: id, imageId, tries, why: message }
  if (status === 'failed') {
    engine.log.warn(fields, 'webhook given up')
  } else if (status === 'pending' && !isCalledOff) {
    engine.log.info({ ...fields, inSeconds: Math.round(delaySeconds) }, 'webhook will be tried again')
  }
}

/** Full jitter: what failed together does not come back together. */
function pauseSeconds(tries: number): number {
  return Math.random() * (PAUSES_SECONDS[tries - 1] ?? PAUSES_SECONDS.at(-1) ?? 0)
}

async function disable(engine: Engine, { id, tries, webhookId }: ClaimedDelivery): Promise<void> {
  const isFirst = await disableWebhook(engine.db, webhookId)
  await postponeDelivery(
    engine.db,
    { id, tries, httpStatus: GONE, message: `answered ${GONE}` },
    { delaySeconds: 0, giveUpSeconds: 0 },
  )
  await giveUpDeliveries(engine.db, BATCH)
  if (isFirst) {
    engine.log.warn({ webhookId }, 'webhook disabled: it answered that it is gone')
  }
}

/** Messages that nobody will send any more. Small batches, no long locks. */
export async function tidyWebhooks(engine: Engine, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await giveUpDeliveries(engine.db, BATCH)) === BATCH) {
    // Until all are.
  }
}

function logFault(engine: Engine, error: unknown): void {
  engine.log.warn({ err: describeError(error) }, 'webhook could not be settled, it will be sent again')
}
