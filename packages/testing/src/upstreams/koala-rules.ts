import { REFUSED_WORD } from './openai-rules.ts'

export interface KoalaError {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface KoalaOrder {
  readonly prompt: string
  readonly model: string
  readonly quality: string
  readonly count: number
  readonly width: number
  readonly height: number
  /** Served as PNG. */
  readonly isOriginal: boolean
  /** Of all images. */
  readonly credits: number
  readonly needsProfessional: boolean
  readonly isRefused: boolean
  /** Fields that change nothing. */
  readonly ignored: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>

/** The price of an image by model and quality, as the vendor's page has it; the first quality is the default. */
const PRICES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'gpt-image-2': { fast: 1, medium: 8, high: 20 },
  'ideogram-3.0': { turbo: 3 },
  'nano-banana-2': { standard: 5 },
  standard: { standard: 1 },
  premium: { standard: 5 },
}
const FREE_FOR_ALL = ['gpt-image-2 fast', 'standard standard']
const WITH_REFERENCES = ['gpt-image-2', 'nano-banana-2']
const STYLES = ['photo', 'illustration', 'watercolor', 'fantasy', 'anime', '3d', 'isometric', 'general', 'none']
const NATIVE = ['1024x1024', '1536x1024', '1024x1536', '1792x1008', '1008x1792']
const LISTED = [
  ...['1024x1024', '1152x896', '1216x832', '1344x768', '1536x640', '640x1536'],
  ...['768x1344', '832x1216', '896x1152', '1792x1008', '1008x1792'],
]

const KNOWN: Readonly<Record<string, (value: unknown) => boolean>> = {
  prompt: (value) => typeof value === 'string' && value.trim() !== '' && value.length <= 32_000,
  model: (value) => Object.hasOwn(PRICES, String(value)),
  quality: (value) => Object.values(PRICES).some((prices) => Object.hasOwn(prices, String(value))),
  size: (value) => typeof value === 'string' && /^\d{2,4}[x:]\d{2,4}$/.test(value),
  numImages: (value) => typeof value === 'number' && [1, 2, 3, 4].includes(value),
  style: (value) => STYLES.includes(String(value)),
  enhancePrompt: (value) => value === 'on' || value === 'off',
  referenceImages: (value) =>
    Array.isArray(value) && value.length <= 5 && value.every((url) => /^https?:\/\/[^\s/]+/.test(String(url))),
  preserveOriginal: (value) => typeof value === 'boolean',
  generateAltText: (value) => typeof value === 'boolean',
}

/** An order that would be carried out, or why not. A price is a price only for valid fields. */
export function readKoalaOrder(fields: Fields): KoalaOrder | KoalaError {
  const wrong = Object.entries(KNOWN).find(
    ([name, isFine]) => (fields[name] !== undefined || name === 'prompt') && !isFine(fields[name]),
  )
  if (wrong !== undefined) {
    return invalid(`${wrong[0]} is missing or has a value that it can't have.`)
  }
  const { prompt, model = 'gpt-image-2', quality, size = '1024x1024', numImages = 1, referenceImages } = fields
  const prices = PRICES[String(model)] ?? {}
  const [defaultQuality = ''] = Object.keys(prices)
  const isOwnQuality = Object.hasOwn(prices, String(quality))
  const chosen = isOwnQuality ? String(quality) : defaultQuality
  const mayReference = WITH_REFERENCES.includes(String(model))
  if (!mayReference && Array.isArray(referenceImages) && referenceImages.length > 0) {
    return invalid(`referenceImages are not supported by ${String(model)}.`)
  }
  const isNative = model === 'gpt-image-2'
  const ignored = Object.keys(fields).filter(
    (name) =>
      !Object.hasOwn(KNOWN, name) ||
      (name === 'quality' && !isOwnQuality) ||
      (name === 'preserveOriginal' && !isNative),
  )
  return {
    prompt: String(prompt),
    model: String(model),
    quality: chosen,
    count: Number(numImages),
    ...snap(String(size), isNative ? NATIVE : LISTED),
    isOriginal: isNative && fields.preserveOriginal === true,
    credits: (prices[chosen] ?? 0) * Number(numImages),
    needsProfessional: !FREE_FOR_ALL.includes(`${String(model)} ${chosen}`),
    isRefused: String(prompt).includes(REFUSED_WORD),
    ignored,
  }
}

/** The size itself, or the one whose aspect ratio is nearest. */
function snap(size: string, sizes: readonly string[]): { width: number; height: number } {
  const ratio = (text: string): number => {
    const [width = 1, height = 1] = text.split(/[x:]/).map(Number)
    return Math.log(width / height)
  }
  const distance = (other: string): number => Math.abs(ratio(other) - ratio(size))
  const nearest = sizes.includes(size) ? size : (sizes.toSorted((a, b) => distance(a) - distance(b))[0] ?? size)
  const [width = 0, height = 0] = nearest.split('x').map(Number)
  return { width, height }
}

function invalid(message: string): KoalaError {
  return { status: 400, code: 'invalid_request', message }
}
