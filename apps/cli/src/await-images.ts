import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, createClient, type DownloadedImage, WombatError } from '@wombat/client'
import { messageOf } from './errors.ts'
import type { Progress } from './progress.ts'
import { type Destination, saveImage } from './save-image.ts'
import type { Session } from './session.ts'

export type Result =
  | {
      readonly status: 'saved'
      readonly url: string
      readonly file: string
      readonly alt: string
      readonly width: number
      readonly height: number
      readonly contentType: string
      readonly sizeBytes: number
    }
  | { readonly status: 'failed' | 'pending'; readonly url: string; readonly code: string; readonly message: string }

interface Waiting {
  readonly destination: Destination
  readonly progress: Progress
  /** Ends the wait: the time is over, or the command was told to stop. */
  readonly signal: AbortSignal
  readonly isStopped: () => boolean
}

const POLL_MS = 500
/** A connection that broke says nothing about the image; a server that has gone does not come back by asking. */
const MOST_BREAKS = 5

/** Fetches all images of one answer, each as soon as it is made, and saves them in their order. */
export async function awaitImages(
  session: Session,
  images: readonly { url: string; alt: string }[],
  waiting: Waiting,
): Promise<Result[]> {
  const client = createClient(session)
  const local = images.map(({ url }) => `${session.baseUrl}${url.slice(url.lastIndexOf('/api/image/'))}`)
  const watching = new AbortController()
  const watch = watchProgress(client, local, {
    progress: waiting.progress,
    signal: AbortSignal.any([watching.signal, waiting.signal]),
  })
  const downloads = await Promise.allSettled(local.map((url) => download(client, url, waiting.signal)))
  watching.abort()
  await watch
  const results: Result[] = []
  for (const [index, image] of images.entries()) {
    const settled = downloads[index]
    const url = local[index] ?? image.url
    if (settled?.status !== 'fulfilled') {
      results.push(
        await explainFailure(
          session,
          { ...image, local: url },
          { reason: settled?.reason, isStopped: waiting.isStopped() },
        ),
      )
      continue
    }
    const { contentType, bytes } = settled.value
    const { width, height } = await client.status(url)
    const file = await saveImage(waiting.destination, settled.value)
    results.push({
      status: 'saved',
      url: image.url,
      file,
      alt: image.alt,
      width,
      height,
      contentType,
      sizeBytes: bytes.length,
    })
  }
  return results
}

/** Asks again for as long as the server says that it has not got it yet. */
async function download(client: Client, url: string, signal: AbortSignal): Promise<DownloadedImage> {
  for (let breaks = 0; ; ) {
    try {
      return await client.download(url, { signal })
    } catch (error) {
      if (!(error instanceof WombatError)) {
        throw error
      }
      breaks += error.code === 'unreachable' ? 1 : 0
      const isPassing = error.code === 'unreachable' || error.status === 503 || error.status === 429
      if (!isPassing || breaks > MOST_BREAKS) {
        throw error
      }
      await sleep((error.retryAfterSeconds ?? 1) * 1000, undefined, { signal })
    }
  }
}

async function explainFailure(
  session: Session,
  image: { url: string; local: string },
  { reason, isStopped }: { reason: unknown; isStopped: boolean },
): Promise<Result> {
  const { url } = image
  if (reason instanceof WombatError) {
    const refund = reason.details?.refunded === true ? ' Its credits were given back.' : ''
    return { status: 'failed', url, code: reason.code, message: `${reason.message}${refund}` }
  }
  const imageId = url.slice(url.lastIndexOf('/') + 1).replace(/\.\w+$/, '')
  const why = isStopped ? undefined : await session.explain(imageId)
  const hint = `\`wombat image show ${imageId}\` tells more`
  const message = why === undefined ? `It is not ready yet: ${hint}.` : `It is not ready yet (${why}): ${hint}.`
  return {
    status: 'pending',
    url,
    code: 'image_pending',
    message: reason instanceof Error && reason.name === 'TypeError' ? messageOf(reason) : message,
  }
}

/** Shows how the first image that is not done yet is doing, until the signal. */
async function watchProgress(
  client: Client,
  urls: readonly string[],
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<void> {
  const what = urls.length === 1 ? 'image' : `${urls.length} images`
  progress.show(`making the ${what}`)
  let done = 0
  while (!signal.aborted && done < urls.length) {
    try {
      const { status, queuePosition } = await client.status(urls[done] ?? '', { signal })
      if (status === 'finished' || status === 'failed') {
        done += 1
        continue
      }
      const count = done === 0 ? '' : `, ${done} of ${urls.length} done`
      progress.show(
        status === 'queued' && (queuePosition ?? 0) > 0
          ? `${queuePosition} ahead in the queue${count}`
          : `making the ${what}${count}`,
      )
      await sleep(POLL_MS, undefined, { signal })
    } catch {
      // Only what is shown depends on it; the downloads meet the same fault and tell.
      await sleep(POLL_MS, undefined, { signal }).catch(() => {})
    }
  }
}
