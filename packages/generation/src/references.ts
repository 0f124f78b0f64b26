import { type FetchLimits, fetchPictures } from './fetching/fetch-pictures.ts'
import { createGate } from './fetching/gate.ts'
import type { Reference } from './provider.ts'

const LIMITS: FetchLimits = {
  totalMs: 30_000,
  tryMs: 10_000,
  firstByteMs: 5_000,
  maxBytes: 20 * 1024 * 1024,
  maxRedirects: 3,
  retryDelaysMs: [500, 1500],
}

/**
 * Downloads what clients' URLs lead to: the only place that opens connections to them. Their type is what the first
 * bytes say; decode them before they are used. Throws ProviderError: bad_reference, also for what was not there after
 * three tries or half a minute, and transient only when it was called off or this machine is short of something. Its
 * message is for the log: what a client learns must not depend on the reason.
 */
export async function fetchReferences(
  urls: readonly string[],
  options: {
    /** `host:port` of hosts that may have any address. */
    allowHosts: readonly string[]
    signal: AbortSignal
  },
): Promise<Reference[]> {
  return await fetchPictures(urls, { gate: createGate(options.allowHosts), limits: LIMITS, signal: options.signal })
}
