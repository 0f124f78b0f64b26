import { ProviderError, type Reference } from '@wombat/generation'
import type { ClaimedImage } from '@wombat/images'
import type { Engine } from './engine.ts'

/** INTERIM until generation/fetchReferences exists. */
export async function loadReferences(_engine: Engine, image: ClaimedImage, _signal: AbortSignal): Promise<Reference[]> {
  if (image.referenceImages.length === 0) {
    return []
  }
  throw new ProviderError('bad_reference', 'not yet')
}
