import { randomBytes } from 'node:crypto'
import { createPictureMaker } from './emulated-picture.ts'
import { type Answer, type EmulatedRequest, type Emulator, startEmulator } from './emulator.ts'
import { createKoalaDelivery, type KoalaDelivery, type KoalaImage, type KoalaOutcome } from './koala-delivery.ts'
import {
  isBeforeOrder,
  KOALA_ERRORS,
  type KoalaFault,
  koalaErrorBody,
  performEarlyKoalaFault,
  performKoalaFault,
} from './koala-faults.ts'
import { type KoalaError, type KoalaOrder, readKoalaOrder } from './koala-rules.ts'

export interface KoalaEmulatorOptions {
  /** Keys that are let in; without it each is. */
  readonly keys?: readonly string[]
  readonly plan?: 'basic' | 'professional'
  /** What its one account has at the beginning. */
  readonly credits?: number
  /** False: koala.sh itself, which knows no Idempotency-Key and says nothing in headers. */
  readonly isWombat?: boolean
  readonly latencyMs?: number
  readonly port?: number
  /** From the order to the picture. */
  readonly readyMs?: number
  readonly delivery?: KoalaDelivery
  /** How long a GET is held before the delivery comes to its own way of waiting on. */
  readonly softWaitMs?: number
  readonly keepAliveMs?: number
}

export interface KoalaEmulator extends Emulator<KoalaFault> {
  /** Without a path. */
  readonly url: string
  /** What the account has left. */
  readonly credits: number
  /** From now on, for images that are waited for too. */
  setDelivery(delivery: KoalaDelivery): void
  /** Of what is ordered from now on. */
  setReadyMs(readyMs: number): void
  /** What becomes of orders from now on, or of the next `times` of them. */
  setOutcome(outcome: KoalaOutcome, times?: number): void
  /** Forgets an image, as after a loss of its database. */
  forget(url: string): void
}

interface State {
  readonly options: KoalaEmulatorOptions
  readonly images: Map<string, KoalaImage>
  readonly replays: Map<string, { readonly body: string; readonly urls: readonly string[] }>
  credits: number
  readyMs: number
  outcome: { kind: KoalaOutcome; left: number }
}

/** The KoalaImages API on a free port of this machine, with one account that has credits. */
export async function startKoalaEmulator(options: KoalaEmulatorOptions = {}): Promise<KoalaEmulator> {
  const state: State = {
    options,
    images: new Map(),
    replays: new Map(),
    credits: options.credits ?? 1000,
    readyMs: options.readyMs ?? 0,
    outcome: { kind: 'picture', left: Number.POSITIVE_INFINITY },
  }
  const delivery = createKoalaDelivery({
    delivery: options.delivery ?? 'block',
    softWaitMs: options.softWaitMs ?? 25_000,
    keepAliveMs: options.keepAliveMs ?? 10_000,
    makePicture: createPictureMaker(),
    refund: (image) => {
      state.credits += image.credits
      image.entry.pictures -= 1
    },
  })
  const emulator = await startEmulator<KoalaFault>({
    latencyMs: options.latencyMs,
    port: options.port,
    headers: (): Record<string, string> =>
      options.isWombat === false ? {} : { 'x-request-id': `req-${randomBytes(8).toString('hex')}` },
    answer: async (entry, origin) => {
      const name = /^\/api\/image\/([^/]+)$/.exec(entry.path)?.[1]
      if (name === undefined) {
        return answerOrder(state, entry, origin)
      }
      return delivery.answer(entry, state.images.get(name.toLowerCase().replace(/\.(jpe?g|png|webp)$/, '')))
    },
    perform: async (fault, stage) => {
      if (isBeforeOrder(fault)) {
        undo(state, stage.entry)
      }
      performKoalaFault(fault, stage)
    },
    performEarly: performEarlyKoalaFault,
  })
  const close = async (): Promise<void> => {
    delivery.stop()
    await emulator.close()
  }
  return {
    ...emulator,
    url: emulator.origin,
    get credits() {
      return state.credits
    },
    setDelivery: delivery.set,
    setReadyMs(readyMs) {
      state.readyMs = readyMs
    },
    setOutcome(kind, times = Number.POSITIVE_INFINITY) {
      state.outcome = { kind, left: times }
    },
    forget(url) {
      state.images.delete(/([\w-]+)\.jpg$/.exec(url)?.[1] ?? '')
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function answerOrder(state: State, entry: EmulatedRequest, origin: string): Answer {
  if (entry.method === 'GET' && entry.path === '/') {
    return {
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: Buffer.from('<!doctype html><title>Koala</title>'),
    }
  }
  if (!/^\/api\/image-generation\/?$/.test(entry.path)) {
    return refuse(KOALA_ERRORS.not_found)
  }
  if (entry.method !== 'POST') {
    return refuse({ status: 405, code: 'method_not_allowed', message: 'Only POST.', headers: { allow: 'POST' } })
  }
  const contentType = entry.headers['content-type']
  if (contentType !== undefined && !/^application\/json(;|$)/i.test(contentType)) {
    return refuse({ status: 415, code: 'unsupported_media_type', message: 'Send JSON.' })
  }
  const key = /^Bearer +(\S+) *$/i.exec(entry.headers.authorization ?? '')?.[1]
  if (key === undefined || (state.options.keys && !state.options.keys.includes(key))) {
    return refuse({ ...KOALA_ERRORS.unauthorized, headers: { 'www-authenticate': 'Bearer' } })
  }
  if (typeof entry.body !== 'object' || entry.body === null || Array.isArray(entry.body)) {
    return refuse({ status: 400, code: 'invalid_json', message: 'The body is no JSON object.' })
  }
  const order = readKoalaOrder(Object.fromEntries(Object.entries(entry.body)))
  return 'code' in order ? refuse(order) : accept(state, entry, order, origin)
}

function accept(state: State, entry: EmulatedRequest, order: KoalaOrder, origin: string): Answer {
  const isWombat = state.options.isWombat !== false
  const key = isWombat ? String(entry.headers['idempotency-key'] ?? '') : ''
  const body = JSON.stringify(entry.body)
  const known = state.replays.get(key)
  if (known !== undefined) {
    return known.body === body
      ? toAnswer(state, order, { urls: known.urls, charged: 0, isReplay: true })
      : refuse(KOALA_ERRORS.idempotency_conflict)
  }
  if (order.needsProfessional && state.options.plan === 'basic') {
    return refuse(KOALA_ERRORS.plan_required)
  }
  if (order.credits > state.credits) {
    return refuse(KOALA_ERRORS.insufficient_credits)
  }
  state.credits -= order.credits
  entry.pictures = order.count
  const urls = Array.from({ length: order.count }, () => {
    const id = `v2-${randomBytes(5).toString('hex').slice(0, 9)}-${randomBytes(5).toString('hex').slice(0, 9)}`
    state.images.set(id, {
      id,
      order,
      entry,
      credits: order.credits / order.count,
      readyAtMs: performance.now() + state.readyMs,
      outcome: order.isRefused ? 'moderation_refused' : takeOutcome(state),
      isRefunded: false,
    })
    return `${origin}/api/image/${id}.jpg`
  })
  if (key !== '') {
    state.replays.set(key, { body, urls })
  }
  return toAnswer(state, order, { urls, charged: order.credits, isReplay: false })
}

/** As if the request had failed before it was looked at. */
function undo(state: State, entry: EmulatedRequest): void {
  for (const image of [...state.images.values()].filter((image) => image.entry === entry)) {
    state.images.delete(image.id)
    state.credits += image.credits
    entry.pictures = 0
    state.replays.delete(String(entry.headers['idempotency-key']))
  }
}

function takeOutcome({ outcome }: State): KoalaOutcome {
  outcome.left -= 1
  return outcome.left >= 0 ? outcome.kind : 'picture'
}

function toAnswer(
  state: State,
  order: KoalaOrder,
  { urls, charged, isReplay }: { urls: readonly string[]; charged: number; isReplay: boolean },
): Answer {
  const headers: Record<string, string> = {
    'x-credits-charged': String(charged),
    'x-credits-remaining': String(state.credits),
    'x-effective-size': `${order.width}x${order.height}`,
    'x-effective-quality': order.quality,
    ...(isReplay && { 'idempotent-replayed': 'true' }),
    ...(order.ignored.length > 0 && { 'x-ignored-params': order.ignored.join(', ') }),
  }
  return {
    status: 200,
    ...(state.options.isWombat !== false && { headers }),
    body: urls.map((url) => ({ url, alt: '' })),
  }
}

function refuse(error: KoalaError): Answer {
  return { status: error.status, ...(error.headers && { headers: error.headers }), body: koalaErrorBody(error) }
}
