import { ApiError } from '@wombat/contract'
import type { Engine } from './engine.ts'
import type { FoundImage } from './image-cache.ts'

/**
 * Waits until an image is done, at most `waitMs`, and answers its state then. Subscribes before it reads, so that no
 * change falls in between. Throws ApiError('shutting_down') when the server stops meanwhile. When the client goes
 * away (`gone`) it answers what is known; nobody reads that any more.
 */
export async function awaitImage(
  engine: Engine,
  imageId: string,
  waitMs: number,
  gone: AbortSignal,
): Promise<FoundImage> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unsubscribe = engine.waiters.subscribe(imageId, resolve)
  const onGone = () => resolve()
  gone.addEventListener('abort', onGone, { once: true })
  let timer: NodeJS.Timeout | undefined
  try {
    const found = await engine.images.find(imageId)
    if (found.status !== 'pending' || waitMs <= 0 || gone.aborted) {
      return found
    }
    timer = setTimeout(resolve, waitMs)
    if (!engine.isStopping) {
      await promise
    }
    if (gone.aborted) {
      return found
    }
    const later = await engine.images.find(imageId)
    if (later.status === 'pending' && engine.isStopping) {
      throw new ApiError('shutting_down', 'The server is restarting. Ask for the image again in a moment.', {
        retryAfterSeconds: 2,
      })
    }
    return later
  } finally {
    clearTimeout(timer)
    unsubscribe()
    gone.removeEventListener('abort', onGone)
  }
}
