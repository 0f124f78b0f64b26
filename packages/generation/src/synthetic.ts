import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseSimulation, type Simulation } from '@wombat/contract'
import { Easel } from './drawing/easel.ts'
import type { PictureRequest } from './drawing/picture.ts'
import { type ImageProvider, ProviderError, type ProviderRequest } from './provider.ts'
import { damage, findFault, findStoppage, toWrongSize } from './synthetic-faults.ts'

export interface SyntheticOptions {
  /** How long a picture takes, drawing included; where between the two is settled by the request. */
  readonly latencyMs: { readonly min: number; readonly max: number }
  /** Faults of every call whose request asks for none itself; their outages begin when the provider is made. */
  readonly simulate?: Simulation | undefined
}

const MAX_SIDE = 4096

/** A provider without key, network or price: it paints a picture after the prompt's hash, with the prompt on it. */
export function createSyntheticProvider(options: SyntheticOptions): ImageProvider {
  const { min, max } = options.latencyMs
  if (!(min >= 0 && max >= min)) {
    throw new RangeError('latencyMs must have 0 <= min <= max')
  }
  const easel = new Easel()
  const openedMs = performance.now()
  return {
    name: 'synthetic',
    isPaid: false,
    async generate(request, signal) {
      const picture = toPicture(request)
      const startedMs = performance.now()
      const own = readOwn(request)
      const simulation = forImage(own ?? options.simulate ?? {}, request)
      const { ageMs, unclearCalls = 0 } = request
      const elapsedMs = own === undefined ? startedMs - openedMs : ageMs
      const fault = findFault(simulation, { elapsedMs, ageMs, unclearCalls })
      if (fault !== undefined) {
        await pause(fault.afterMs, signal)
        throw fault.error
      }
      const bytes = await easel.draw(simulation.wrongSize === true ? toWrongSize(picture) : picture, signal)
      const latencyMs = simulation.latencyMs ?? min + (max - min) * fraction(picture)
      await pause(latencyMs - (performance.now() - startedMs), signal)
      return { bytes: damage(simulation, bytes, unclearCalls) }
    },
    async check() {
      const stoppage = findStoppage(options.simulate ?? {}, performance.now() - openedMs)
      if (stoppage !== undefined) {
        throw stoppage
      }
      await easel.draw(TRIAL, AbortSignal.timeout(20_000))
    },
    close: () => easel.close(),
  }
}

/** What the client asks for, which then stands in place of the operator's. */
function readOwn({ simulate }: ProviderRequest): Simulation | undefined {
  const own = simulate === undefined ? undefined : parseSimulation(simulate)
  if (own !== undefined && 'expected' in own) {
    throw new ProviderError('mistake', `the simulation "${simulate}" can't be read: it takes ${own.expected}`)
  }
  return own
}

function forImage(simulation: Simulation, { index }: ProviderRequest): Simulation {
  return simulation.image === undefined || simulation.image === index + 1 ? simulation : {}
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
