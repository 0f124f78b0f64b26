import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, WombatError } from '@wombat/client'
import sharp from 'sharp'

/** What a client got in the end. */
export interface Delivery {
  readonly url: string
  readonly sha256: string
}

/** Something that a client met and tried again after. */
export interface Trouble {
  /** Such as `POST 502` or `GET connection refused`. */
  readonly cause: string
  /** What was being done to the cluster then. */
  readonly during: string
}

export interface Ordering {
  readonly url: string
  readonly apiKey: string
  readonly stop: AbortSignal
  /** Told why a call is tried again. */
  readonly onTrouble: (cause: string) => void
}

interface Wish {
  readonly model: string
  readonly size: string
  readonly quality?: 'fast'
  readonly enhancePrompt?: 'off'
}

/** In turns. Pictures of gpt-image-2 come from the emulated OpenAI, which also rewrites their prompts; the others are drawn. */
const WISHES: readonly Wish[] = [
  { model: 'gpt-image-2', size: '1024x1024', quality: 'fast', enhancePrompt: 'off' },
  { model: 'standard', size: '1024x1024', enhancePrompt: 'off' },
  { model: 'gpt-image-2', size: '1536x1024', quality: 'fast' },
  { model: 'premium', size: '1216x832', enhancePrompt: 'off' },
  { model: 'gpt-image-2', size: '1024x1536', quality: 'fast', enhancePrompt: 'off' },
  { model: 'standard', size: '832x1216', enhancePrompt: 'off' },
]
const FIRST_WISH: Wish = { model: 'standard', size: '1024x1024' }

/** The catalogue's, said once more, so that both can't be wrong in the same way. */
const CREDITS: Readonly<Record<string, number>> = { 'gpt-image-2': 1, standard: 1, premium: 5 }

function wishOf(n: number): Wish {
  return WISHES[n % WISHES.length] ?? FIRST_WISH
}

/** What so many orders cost in all. */
export function priceOf(orders: number): number {
  return Array.from({ length: orders }, (_, n) => CREDITS[wishOf(n).model] ?? 0).reduce((sum, one) => sum + one, 0)
}

/** A client gives up then, and the trial has failed. */
const PATIENCE_MS = 300_000
/** One call that takes longer hangs. */
const CALL_MS = 120_000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 5_000

/** One client: orders a picture, waits for it as long as it takes, and looks at it. Throws when it does not get what it ordered. */
export async function orderOne(n: number, ordering: Ordering): Promise<Delivery> {
  const { url: baseUrl, apiKey } = ordering
  const client = createClient({ baseUrl, apiKey })
  const wish = wishOf(n)
  const idempotencyKey = `trial-${n}`
  const { images } = await insist('POST', ordering, (signal) =>
    client.generate({ ...wish, prompt: `wombat ${n}`, numImages: 1 }, { idempotencyKey, signal }),
  )
  const [image] = images
  if (image === undefined) {
    throw new Error(`order ${n} was answered without an address`)
  }
  const { bytes } = await insist('GET', ordering, (signal) => client.download(image.url, { signal }))
  const size = await decode(bytes)
  if (size !== wish.size) {
    throw new Error(`${image.url} has ${size}, and ${wish.size} was ordered`)
  }
  return { url: image.url, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/** Every pixel, so that half a picture is none. */
export async function decode(bytes: Uint8Array): Promise<string> {
  const { info } = await sharp(bytes, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true })
  return `${info.width}x${info.height}`
}

/** Calls until there is an answer. What another try can't mend is thrown at once. */
async function insist<T>(method: string, ordering: Ordering, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { stop, onTrouble } = ordering
  const deadline = performance.now() + PATIENCE_MS
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const late = AbortSignal.timeout(CALL_MS)
    try {
      return await call(AbortSignal.any([stop, late]))
    } catch (error) {
      stop.throwIfAborted()
      if (performance.now() > deadline || !(late.aborted || mayPass(error))) {
        throw error
      }
      onTrouble(`${method} ${late.aborted ? 'hangs' : nameCause(error)}`)
      await sleep(Math.max(askedPauseMs(error), pauseMs * (0.5 + Math.random())), undefined, { signal: stop })
    }
  }
}

function askedPauseMs(error: unknown): number {
  return error instanceof WombatError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
}

function mayPass(error: unknown): boolean {
  return error instanceof WombatError && (error.status === 0 || error.status === 429 || error.status >= 500)
}

function nameCause(error: unknown): string {
  if (!(error instanceof WombatError)) {
    return String(error)
  }
  if (error.status > 0) {
    return error.code === 'unexpected' ? `${error.status} of nginx` : `${error.status} ${error.code}`
  }
  // fetch wraps what it met once more.
  let code = 'connection broken'
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    code = 'code' in cause && typeof cause.code === 'string' ? cause.code : code
  }
  return code
}
