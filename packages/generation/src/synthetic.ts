import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Easel } from './drawing/easel.ts'
import type { PictureRequest } from './drawing/picture.ts'
import { type ImageProvider, ProviderError, type ProviderRequest } from './provider.ts'

export interface SyntheticOptions {
  /** How long a picture takes, drawing included; where between the two is settled by the request. */
  readonly latencyMs: { readonly min: number; readonly max: number }
}

const MAX_SIDE = 4096

/** A provider without key, network or price: it paints a picture after the prompt's hash, with the prompt on it. */
export function createSyntheticProvider(options: SyntheticOptions): ImageProvider {
  const { min, max } = options.latencyMs
  if (!(min >= 0 && max >= min)) {
    throw new RangeError('latencyMs must have 0 <= min <= max')
  }
  const easel = new Easel()
  return {
    name: 'synthetic',
    isPaid: false,
    async generate(request, signal) {
      const picture = toPicture(request)
      const startedAt = performance.now()
      const bytes = await easel.draw(picture, signal)
      const restMs = min + (max - min) * fraction(picture) - (performance.now() - startedAt)
      await pause(restMs, signal)
      return { bytes }
    },
    async check() {
      await easel.draw(TRIAL, AbortSignal.timeout(20_000))
    },
    close: () => easel.close(),
  }
}

const TRIAL: PictureRequest = {
  prompt: 'trial',
  originalPrompt: 'trial',
  model: 'standard',
  quality: 'standard',
  style: 'none',
  width: 64,
  height: 64,
  index: 0,
}

function toPicture(request: ProviderRequest): PictureRequest {
  const { prompt, originalPrompt, model, quality, style, width, height, index } = request
  for (const side of [width, height]) {
    if (!Number.isInteger(side) || side < 16 || side > MAX_SIDE) {
      throw new ProviderError(
        'mistake',
        `a synthetic picture's sides are 16 to ${MAX_SIDE} pixels, not ${width}x${height}`,
      )
    }
  }
  return { prompt, originalPrompt, model, quality, style, width, height, index }
}

/** A number from 0 to 1 that the same request always gets. */
function fraction(picture: PictureRequest): number {
  return createHash('sha256').update(JSON.stringify(picture)).digest().readUInt32BE(0) / 0xffffffff
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(Math.max(0, ms), undefined, { signal })
  } catch (cause) {
    throw new ProviderError('transient', 'the drawing was called off', { cause })
  }
}
