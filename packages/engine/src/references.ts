import { fetchReferences, ProviderError, type Reference } from '@wombat/generation'
import { type ClaimedImage, decodeWhole, ImageDecodeError } from '@wombat/images'
import { LRUCache } from 'lru-cache'

/** Reference pictures, downloaded and decoded once for the images of a request that this process makes. */
export interface References {
  /** Throws ProviderError. A refusal is the same for all images of a request. */
  load(image: Pick<ClaimedImage, 'requestId' | 'referenceImages'>, signal: AbortSignal): Promise<readonly Reference[]>
}

type Outcome = { readonly pictures: readonly Reference[] } | { readonly refusal: ProviderError }

interface Download {
  readonly outcome: Promise<Outcome>
  readonly calledOff: AbortController
  /** Images that wait for it; the last one that leaves calls it off. */
  waiting: number
}

/** The images of a request are made within seconds of each other; what comes later downloads again. */
const KEPT_MS = 60_000
/** Five pictures of 8 MB and more of smaller ones. */
const KEPT_BYTES = 64 * 1024 * 1024
const OVERHEAD_BYTES = 1024

/** `allowHosts` names the `host:port` that pictures may come from although the address is not public. */
export function openReferences(allowHosts: readonly string[]): References {
  const kept = new LRUCache<string, Outcome>({
    maxSize: KEPT_BYTES,
    ttl: KEPT_MS,
    ttlAutopurge: true,
    sizeCalculation: weigh,
  })
  const underWay = new Map<string, Download>()

  function start(requestId: string, urls: readonly string[]): Download {
    const calledOff = new AbortController()
    const outcome = fetchAndDecode(urls, { allowHosts, signal: calledOff.signal }).then((found) => {
      kept.set(requestId, found)
      return found
    })
    const download = { outcome, calledOff, waiting: 0 }
    underWay.set(requestId, download)
    return download
  }

  async function join(requestId: string, urls: readonly string[], signal: AbortSignal): Promise<Outcome> {
    const download = underWay.get(requestId) ?? start(requestId, urls)
    download.waiting += 1
    try {
      return await unlessAborted(download.outcome, signal)
    } finally {
      download.waiting -= 1
      if (download.waiting === 0) {
        underWay.delete(requestId)
        download.calledOff.abort()
      }
    }
  }

  return {
    async load({ requestId, referenceImages }, signal) {
      if (referenceImages.length === 0) {
        return []
      }
      const outcome = kept.get(requestId) ?? (await join(requestId, referenceImages, signal))
      if ('refusal' in outcome) {
        throw outcome.refusal
      }
      return outcome.pictures
    },
  }
}

function weigh(outcome: Outcome): number {
  const pictures = 'pictures' in outcome ? outcome.pictures : []
  return pictures.reduce((sum, { bytes }) => sum + bytes.length, OVERHEAD_BYTES)
}

/** Throws what may pass; what does not is an outcome, which the other images of the request share. */
async function fetchAndDecode(
  urls: readonly string[],
  options: { allowHosts: readonly string[]; signal: AbortSignal },
): Promise<Outcome> {
  try {
    const pictures = await fetchReferences(urls, options)
    for (const { bytes } of pictures) {
      await decodeWhole(bytes)
    }
    return { pictures }
  } catch (error) {
    if (error instanceof ImageDecodeError) {
      return {
        refusal: new ProviderError('bad_reference', `undecodable reference: ${error.message}`, { cause: error }),
      }
    }
    if (error instanceof ProviderError && error.failure === 'bad_reference') {
      return { refusal: error }
    }
    throw error
  }
}

/** The promise goes on without who was called off. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () =>
    aborted.reject(new ProviderError('transient', 'called off while references were fetched', { cause: signal.reason }))
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) {
    abort()
  }
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
