import type { Engine } from './engine.ts'
import type { FoundImage } from './image-cache.ts'

/**
 * Waits until an image is done, at most `waitMs`, and answers its state then. Subscribes before it reads, so that no
 * change falls in between. When the server stops meanwhile, or the client goes away (`gone`), it answers what is known;
 * `isBegun` is for an answer that is under way, which nobody else can end: it is not given up before its connection is.
 */
export async function awaitImage(
  engine: Engine,
  imageId: string,
  waitMs: number,
  { gone, isBegun }: { gone: AbortSignal; isBegun: boolean },
): Promise<FoundImage> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unsubscribe = engine.waiters.subscribe(imageId, resolve, { isPatient: isBegun })
  const onGone = () => resolve()
  gone.addEventListener('abort', onGone, { once: true })
  // Who is sent elsewhere costs no statement: thousands may be.
  const isOver = () => gone.aborted || (engine.isStopping && !isBegun)
  let timer: NodeJS.Timeout | undefined
  try {
    const found = await engine.images.find(imageId)
    if (found.status !== 'pending' || waitMs <= 0 || isOver()) {
      return found
    }
    timer = setTimeout(resolve, waitMs)
    await promise
    return isOver() ? found : await engine.images.find(imageId)
  } finally {
    clearTimeout(timer)
    unsubscribe()
    gone.removeEventListener('abort', onGone)
  }
}
