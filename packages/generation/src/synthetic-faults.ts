import type { Simulation } from '@wombat/contract'
import { ProviderError } from './provider.ts'

/** A fault to act out. */
export interface Fault {
  readonly error: ProviderError
  /** The upstream works for so long before it says so. */
  readonly afterMs: number
}

/** What a call of the upstream meets, or undefined: it gives a picture. */
export function findFault(
  simulation: Simulation,
  call: {
    /** On the clock of outages: since the order, or since the start of the process. */
    readonly elapsedMs: number
    /** Since the order. */
    readonly ageMs: number
    /** Earlier calls for the image that ended without a known outcome. */
    readonly unclearCalls: number
  },
): Fault | undefined {
  const { latencyMs = 0, unknown = 0, corrupt = 0, moderation, badReference, lateFailureMs } = simulation
  const stoppage = findStoppage(simulation, call.elapsedMs + latencyMs)
  if (stoppage !== undefined) {
    return { error: stoppage, afterMs: latencyMs }
  }
  if (call.unclearCalls < unknown) {
    return { error: fault('unknown', 'the connection broke after the request was sent'), afterMs: latencyMs }
  }
  if (call.unclearCalls < unknown + corrupt) {
    return undefined
  }
  if (moderation !== undefined) {
    const options = { reason: moderation === '' ? undefined : moderation }
    return { error: fault('moderation', 'the prompt is refused for its content', options), afterMs: latencyMs }
  }
  if (badReference === true) {
    return { error: fault('bad_reference', 'a reference image can not be used'), afterMs: latencyMs }
  }
  if (lateFailureMs !== undefined) {
    const afterMs = Math.max(latencyMs, lateFailureMs - call.ageMs)
    return { error: fault('mistake', 'the upstream has given up'), afterMs }
  }
  return undefined
}

/** What keeps the upstream from working at all, until its time is over. */
export function findStoppage(simulation: Simulation, elapsedMs: number): ProviderError | undefined {
  const { outageMs = 0, credentialsMs = 0, throttledMs = 0 } = simulation
  if (elapsedMs < outageMs) {
    return fault('transient', 'the upstream can not be reached')
  }
  if (elapsedMs < credentialsMs) {
    return fault('credentials', 'the upstream refuses the key, or its account has no money')
  }
  if (elapsedMs < throttledMs) {
    return fault('throttled', 'the upstream answered 429', { status: 429, retryAfterMs: throttledMs - elapsedMs })
  }
  return undefined
}

/** Damages the picture when this call is to give a damaged one: cut off, and at every other call garbled. */
export function damage(simulation: Simulation, bytes: Buffer, unclearCalls: number): Buffer {
  const { unknown = 0, corrupt = 0 } = simulation
  const turn = unclearCalls - unknown
  if (turn < 0 || turn >= corrupt) {
    return bytes
  }
  const half = bytes.length >> 1
  return turn % 2 === 0 ? bytes.subarray(0, half) : Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)])
}

/** What a picture of a wrong size has: a quarter more or less in width. */
export function toWrongSize<T extends { readonly width: number }>(picture: T): T {
  const quarter = Math.ceil(picture.width / 4)
  return { ...picture, width: picture.width > 2048 ? picture.width - quarter : picture.width + quarter }
}

function fault(
  failure: ProviderError['failure'],
  message: string,
  options?: ConstructorParameters<typeof ProviderError>[2],
): ProviderError {
  return new ProviderError(failure, `simulated: ${message}`, options)
}
