import { setTimeout as sleep } from 'node:timers/promises'
import { pictureType } from '../picture-type.ts'
import { ProviderError, type Reference } from '../provider.ts'
import { type DownloadLimits, type DownloadOptions, download } from './download.ts'
import { isOwnShortage, toDownloadError } from './network-error.ts'

export interface FetchLimits extends DownloadLimits {
  /** For all URLs together, repetitions included. */
  readonly totalMs: number
  /** The waits before the second and each later try of one URL; there are no more tries than these. */
  readonly retryDelaysMs: readonly number[]
}

export interface FetchOptions extends DownloadOptions {
  readonly limits: FetchLimits
}

const AT_ONCE = 2

/**
 * Downloads all, in the order of the URLs, or throws what was wrong with the first that failed. When it returns,
 * nothing is under way any more.
 */
export async function fetchPictures(urls: readonly string[], options: FetchOptions): Promise<Reference[]> {
  const { limits, signal } = options
  const deadline = AbortSignal.timeout(limits.totalMs)
  const stop = new AbortController()
  const inner = { ...options, signal: AbortSignal.any([signal, deadline, stop.signal]) }
  const pictures: Reference[] = []
  const rest = urls.entries()
  let failure: ProviderError | undefined
  const work = async () => {
    try {
      for (const [index, url] of rest) {
        pictures[index] = await fetchPicture(url, { ...inner, position: index + 1 })
      }
    } catch (error) {
      failure ??= toDownloadError(error)
      stop.abort()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  if (failure === undefined) {
    return pictures
  }
  if (signal.aborted) {
    throw new ProviderError('transient', 'called off while references were fetched', { cause: signal.reason })
  }
  if (deadline.aborted) {
    throw new ProviderError('bad_reference', `references not there within ${limits.totalMs} ms`, { cause: failure })
  }
  throw failure
}

async function fetchPicture(url: string, options: FetchOptions & { position: number }): Promise<Reference> {
  for (let tries = 1; ; tries += 1) {
    try {
      return toReference(await download(url, options))
    } catch (error) {
      const known = toDownloadError(error)
      const delayMs = options.limits.retryDelaysMs[tries - 1]
      if (known.failure !== 'transient' || delayMs === undefined || options.signal.aborted) {
        throw giveUp(known, { position: options.position, tries })
      }
      await sleep(delayMs, undefined, { signal: options.signal })
    }
  }
}

/** Says which reference it was, but not its URL, which may hold a secret. */
function giveUp(known: ProviderError, { position, tries }: { position: number; tries: number }): ProviderError {
  const failure = known.failure === 'transient' && !isOwnShortage(known) ? 'bad_reference' : known.failure
  const times = tries === 1 ? '' : ` (${tries} tries)`
  return new ProviderError(failure, `reference ${position}: ${known.message}${times}`, { cause: known.cause })
}

/** Whoever uses the bytes has to decode them first. */
function toReference(bytes: Buffer): Reference {
  const contentType = pictureType(bytes)
  if (contentType === undefined) {
    throw new ProviderError('bad_reference', 'not a JPEG, PNG or WebP')
  }
  return { bytes, contentType }
}
