import type { Style } from '@wombat/contract'
import { type ClaimedImage, claimPrompt, findPrompt, storePrompt } from '@wombat/images'
import type { Engine } from './engine.ts'

const ENHANCER_TIMEOUT_MS = 15_000
/** A little longer than the enhancer may take, so that only a crash lets a second call happen. */
const CLAIM_SECONDS = 16

/**
 * The prompt that the provider gets. One worker asks the enhancer for all images of a request; the others wait for
 * its answer. The enhancer falls back by itself, so this never fails an image.
 */
export async function finalPrompt(engine: Engine, image: ClaimedImage, signal: AbortSignal): Promise<string> {
  let known = image.finalPrompt
  while (known === undefined) {
    signal.throwIfAborted()
    if (await claimPrompt(engine.db, image.requestId, CLAIM_SECONDS)) {
      const { prompt } = await engine.enhancer.enhance(
        {
          prompt: image.prompt,
          style: image.style as Style,
          styleGiven: image.isStyleGiven,
          enhance: image.isEnhanced,
          alt: false,
        },
        AbortSignal.any([signal, AbortSignal.timeout(ENHANCER_TIMEOUT_MS)]),
      )
      await storePrompt(engine.db, image.requestId, prompt)
    } else {
      await promptStored(engine, image.requestId, signal)
    }
    known = (await findPrompt(engine.db, image.requestId))?.finalPrompt
  }
  return known
}

/** Resolves when the prompt of the request was stored, or after a while, whichever comes first. */
async function promptStored(engine: Engine, requestId: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unsubscribe = await engine.listener.subscribe('wombat_prompt', (payload) => {
    if (payload === requestId) {
      resolve()
    }
  })
  const timer = setTimeout(resolve, 2_000)
  const abort = () => resolve()
  signal.addEventListener('abort', abort, { once: true })
  try {
    // It may have been stored between the look and the subscription.
    if ((await findPrompt(engine.db, requestId))?.finalPrompt === undefined) {
      await promise
    }
  } finally {
    unsubscribe()
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
