import { type ModelId, modelEntry } from './catalogue.ts'

/** Pixels, or an aspect ratio where only the ratio counts. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** What gpt-image-2 makes. */
export const NATIVE_SIZES: readonly Size[] = [
  { width: 1024, height: 1024 },
  { width: 1536, height: 1024 },
  { width: 1024, height: 1536 },
  { width: 1792, height: 1008 },
  { width: 1008, height: 1792 },
]

/** What every other model makes, in the vendor's order. */
export const LISTED_SIZES: readonly Size[] = [
  { width: 1024, height: 1024 },
  { width: 1152, height: 896 },
  { width: 1216, height: 832 },
  { width: 1344, height: 768 },
  { width: 1536, height: 640 },
  { width: 640, height: 1536 },
  { width: 768, height: 1344 },
  { width: 832, height: 1216 },
  { width: 896, height: 1152 },
  { width: 1792, height: 1008 },
  { width: 1008, height: 1792 },
]

/** Of all sizes that are made. */
export const SIZE_NAMES: readonly string[] = [...new Set([...NATIVE_SIZES, ...LISTED_SIZES].map(formatSize))]

export const MIN_SIDE = 64
export const MAX_SIDE = 4096

export const DEFAULT_SIZE: Size = { width: 1024, height: 1024 }
const MODEL_SIZES = { native: NATIVE_SIZES, listed: LISTED_SIZES }

/** Ratios with a size of their own; any other goes to the nearest. 16:9 is 1344x768 although 1792x1008 is nearer. */
const SHORTHANDS: ReadonlyMap<string, Size> = new Map([
  ['1:1', { width: 1024, height: 1024 }],
  ['5:4', { width: 1152, height: 896 }],
  ['3:2', { width: 1216, height: 832 }],
  ['16:9', { width: 1344, height: 768 }],
  ['21:9', { width: 1536, height: 640 }],
  ['9:21', { width: 640, height: 1536 }],
  ['9:16', { width: 768, height: 1344 }],
  ['2:3', { width: 832, height: 1216 }],
  ['4:5', { width: 896, height: 1152 }],
  ['square', { width: 1024, height: 1024 }],
  ['landscape', { width: 1216, height: 832 }],
  ['portrait', { width: 832, height: 1216 }],
])

/** The size that the model makes for a size as the client sent it; undefined when that is malformed. */
export function effectiveSize(model: ModelId, size: string | undefined): Size | undefined {
  const wanted = size === undefined ? DEFAULT_SIZE : parseSize(size)
  return wanted && snapSize(model, wanted)
}

/** "1216x832" and the shorthands give pixels, another "7:5" gives itself as a ratio; undefined when malformed. */
export function parseSize(text: string): Size | undefined {
  const shorthand = SHORTHANDS.get(text)
  if (shorthand) {
    return shorthand
  }
  const match = text.length <= '4096x4096'.length ? /^([1-9]\d{0,3})([x:])([1-9]\d{0,3})$/.exec(text) : null
  if (!match) {
    return undefined
  }
  const size = { width: Number(match[1]), height: Number(match[3]) }
  return match[2] === ':' || (isSide(size.width) && isSide(size.height)) ? size : undefined
}

function isSide(pixels: number): boolean {
  return pixels >= MIN_SIDE && pixels <= MAX_SIDE
}

/**
 * The size of the model whose shape is nearest. Nearest by the logarithm of the ratio, so that 2:1 and 1:2 are equally
 * far from a square and 1216x832 does not become one, as it would by the distance in pixels.
 */
export function snapSize(model: ModelId, wanted: Size): Size {
  const distance = (size: Size) => Math.abs(shape(size) - shape(wanted))
  return MODEL_SIZES[modelEntry(model).sizes].reduce((best, size) => (distance(size) < distance(best) ? size : best))
}

function shape(size: Size): number {
  return Math.log(size.width / size.height)
}

export function formatSize(size: Size): string {
  return `${size.width}x${size.height}`
}
