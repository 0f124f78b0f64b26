import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { createPictureMaker } from './emulated-picture.ts'
import type { Answer, EmulatedRequest } from './emulator.ts'
import { KOALA_ERRORS, koalaErrorBody } from './koala-faults.ts'
import type { KoalaError, KoalaOrder } from './koala-rules.ts'

/** What a GET does that waits for long: hold on, begin a JPEG and add comments, or send the client round. */
export type KoalaDelivery = 'block' | 'keepalive' | 'redirect'

export type KoalaOutcome = 'picture' | 'moderation_refused' | 'bad_reference' | 'generation_failed'

export interface KoalaImage {
  readonly id: string
  readonly order: KoalaOrder
  /** The request that paid for it. */
  readonly entry: EmulatedRequest
  readonly credits: number
  readonly readyAtMs: number
  readonly outcome: KoalaOutcome
  isRefunded: boolean
}

interface Options {
  readonly delivery: KoalaDelivery
  readonly softWaitMs: number
  readonly keepAliveMs: number
  readonly makePicture: ReturnType<typeof createPictureMaker>
  refund(image: KoalaImage): void
}

const MAX_WAIT_MS = 280_000
const MOST_HOPS = 8
const JPEG_BEGIN = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0])
const EMPTY_COMMENT = Buffer.from([0xff, 0xfe, 0, 2])
const SOI_BYTES = 2

/** GET of an image: held until there is one, in one of three ways. */
export function createKoalaDelivery(options: Options) {
  const stopped = new AbortController()
  let { delivery } = options

  /** False: it is not ready after that time. */
  const wait = async (image: KoalaImage, waitMs: number): Promise<boolean> => {
    const restMs = Math.max(0, image.readyAtMs - performance.now())
    await sleep(Math.min(restMs, waitMs), undefined, { signal: stopped.signal })
    return restMs <= waitMs
  }
  const paint = ({ order }: KoalaImage): Promise<Buffer> =>
    options.makePicture({ ...order, format: order.isOriginal ? 'png' : 'jpeg', text: order.prompt })

  async function* keepAlive(image: KoalaImage): AsyncGenerator<Buffer> {
    yield JPEG_BEGIN
    while (!(await wait(image, options.keepAliveMs))) {
      yield EMPTY_COMMENT
    }
    if (image.outcome !== 'picture') {
      settle(image, options)
      throw new Error('it failed after all')
    }
    yield (await paint(image)).subarray(SOI_BYTES)
  }

  const answerLate = (entry: EmulatedRequest, image: KoalaImage): Answer => {
    if (delivery === 'keepalive' && !image.order.isOriginal) {
      const headers = { 'content-type': 'image/jpeg', 'cache-control': 'no-store' }
      return { status: 200, headers, body: Readable.from(keepAlive(image)) }
    }
    const hops = Number(entry.query.get('wait') ?? 0)
    if (delivery === 'block' || hops >= MOST_HOPS) {
      const headers = { 'retry-after': '5', 'cache-control': 'no-store' }
      return refuse({ status: 503, code: 'image_pending', message: 'The image is not ready yet.', headers })
    }
    const headers = { location: `${image.id}.jpg?wait=${hops + 1}`, 'cache-control': 'no-store' }
    return { status: 302, headers, body: Buffer.alloc(0) }
  }

  return {
    set(kind: KoalaDelivery): void {
      delivery = kind
    },
    stop: (): void => stopped.abort(),
    async answer(entry: EmulatedRequest, image: KoalaImage | undefined): Promise<Answer> {
      if (image === undefined) {
        return refuse({ ...KOALA_ERRORS.not_found, headers: { 'cache-control': 'no-store' } })
      }
      if (entry.method !== 'GET') {
        return refuse({ status: 405, code: 'method_not_allowed', message: 'Only GET.', headers: { allow: 'GET' } })
      }
      if (!(await wait(image, delivery === 'block' ? MAX_WAIT_MS : options.softWaitMs))) {
        return answerLate(entry, image)
      }
      if (image.outcome !== 'picture') {
        settle(image, options)
        return refuse(KOALA_ERRORS[image.outcome], { refunded: true })
      }
      const headers = {
        'content-type': image.order.isOriginal ? 'image/png' : 'image/jpeg',
        'cache-control': 'public, max-age=31536000, immutable',
      }
      return { status: 200, headers, body: await paint(image) }
    },
  }
}

/** An image that failed gives its credits back, once. */
function settle(image: KoalaImage, { refund }: Options): void {
  if (!image.isRefunded) {
    image.isRefunded = true
    refund(image)
  }
}

function refuse(error: KoalaError, details?: Record<string, unknown>): Answer {
  return {
    status: error.status,
    ...(error.headers && { headers: error.headers }),
    body: koalaErrorBody(error, details),
  }
}
