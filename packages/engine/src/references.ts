import { fetchReferences, ProviderError, type Reference } from '@wombat/generation'
import { type ClaimedImage, decodeWhole, ImageDecodeError } from '@wombat/images'
import { LRUCache } from 'lru-cache'
import type { ReferenceArchive } from './reference-archive.ts'

/** Reference pictures, downloaded and decoded once for the images of a request that this process makes. */
export interface References {
  /** Throws ProviderError. A refusal is the same for all images of a request. */
  load(image: ReferenceOwner, signal: AbortSignal): Promise<readonly Reference[]>
}

export type ReferenceOwner = Pick<ClaimedImage, 'requestId' | 'referenceImages'> & {
  /** The request has waited, so they may have been kept for it. */
  readonly hasWaited?: boolean
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
export function openReferences(allowHosts: readonly string[], archive?: Pick<ReferenceArchive, 'read'>): References {
  const kept = new LRUCache<string, Outcome>({
    maxSize: KEPT_BYTES,
    ttl: KEPT_MS,
    ttlAutopurge: true,
    sizeCalculation: weigh,
  })
  const underWay = new Map<string, Download>()

  async function find(
    { requestId, referenceImages, hasWaited }: ReferenceOwner,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const pictures = hasWaited === true ? await archive?.read(requestId, referenceImages.length) : undefined
    return pictures === undefined ? await fetchAndDecode(referenceImages, { allowHosts, signal }) : { pictures }
  }

  function start(owner: ReferenceOwner): Download {
    const { requestId } = owner
    const calledOff = new AbortController()
    const outcome = find(owner, calledOff.signal).then((found) => {
      kept.set(requestId, found)
      return found
    })
    const download = { outcome, calledOff, waiting: 0 }
    underWay.set(requestId, download)
    return download
  }

  async function join(owner: ReferenceOwner, signal: AbortSignal): Promise<Outcome> {
    const { requestId } = owner
    const download = underWay.get(requestId) ?? start(owner)
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
    async load(owner, signal) {
      if (owner.referenceImages.length === 0) {
        return []
      }
      const outcome = kept.get(owner.requestId) ?? (await join(owner, signal))
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
