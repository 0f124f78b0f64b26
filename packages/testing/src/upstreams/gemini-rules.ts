import { findBadField, type GeminiBody, type GeminiPart, isGeminiBody } from './gemini-body.ts'
import { badArgument, type GeminiError, geminiError } from './gemini-error.ts'

export interface GeminiOrder {
  readonly prompt: string
  readonly width: number
  readonly height: number
  readonly outputTokens: number
  readonly references: number
  /** Without `responseModalities` of IMAGE alone, words come before the picture. */
  readonly hasText: boolean
  readonly hasPicture: boolean
}

/** Pixels at 1K by ratio. */
const PIXELS: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['1:1', [1024, 1024]],
  ['1:4', [512, 2064]],
  ['1:8', [352, 2928]],
  ['2:3', [848, 1264]],
  ['3:2', [1264, 848]],
  ['3:4', [896, 1200]],
  ['4:1', [2064, 512]],
  ['4:3', [1200, 896]],
  ['4:5', [928, 1152]],
  ['5:4', [1152, 928]],
  ['8:1', [2928, 352]],
  ['9:16', [768, 1376]],
  ['16:9', [1376, 768]],
  ['21:9', [1584, 672]],
])

/** How many times as long as at 1K a side is, and what the picture costs, by size. */
const SIZES: ReadonlyMap<string, { readonly scale: number; readonly tokens: number }> = new Map([
  ['512', { scale: 0.5, tokens: 747 }],
  ['1K', { scale: 1, tokens: 1120 }],
  ['2K', { scale: 2, tokens: 1680 }],
  ['4K', { scale: 4, tokens: 2520 }],
])

const MAX_REFERENCES = 14

/** An order that Gemini would carry out, or the error that it would answer. */
export function readGeminiOrder(body: unknown, model: string): GeminiOrder | GeminiError {
  if (!isGeminiBody(body)) {
    return findBadField(body) ?? geminiError(400, 'Request contains an invalid argument.')
  }
  const fault = checkContents(body) ?? checkReferences(body, model)
  if (fault) {
    return fault
  }
  const { imageConfig, responseModalities, candidateCount = 1 } = body.generationConfig ?? {}
  const pixels = PIXELS.get(imageConfig?.aspectRatio ?? '1:1')
  const size = SIZES.get(imageConfig?.imageSize ?? '1K')
  if (!pixels) {
    return refuseImageConfig('aspect_ratio', PIXELS)
  }
  if (!size) {
    return refuseImageConfig('image_size', SIZES)
  }
  if (candidateCount !== 1) {
    return geminiError(400, 'Multiple candidates is not enabled for this model')
  }
  const modalities =
    responseModalities === undefined || responseModalities.length === 0 ? ['TEXT', 'IMAGE'] : responseModalities
  if (modalities.some((modality) => modality !== 'TEXT' && modality !== 'IMAGE')) {
    return geminiError(400, `Model does not support the requested response modalities: ${modalities.join(',')}`)
  }
  return {
    prompt: partsOf(body)
      .flatMap((part) => part.text ?? [])
      .join('\n'),
    width: pixels[0] * size.scale,
    height: pixels[1] * size.scale,
    outputTokens: size.tokens,
    references: partsOf(body).filter((part) => part.inlineData !== undefined).length,
    hasText: modalities.includes('TEXT'),
    hasPicture: modalities.includes('IMAGE'),
  }
}

function refuseImageConfig(field: string, values: ReadonlyMap<string, unknown>): GeminiError {
  const quoted = [...values.keys()].map((value) => `'${value}'`)
  const last = quoted.pop()
  const why = `${field} must be one of ${quoted.join(', ')}, or ${last}.`
  return badArgument(`generation_config.image_config.${field}`, why)
}

function partsOf(body: GeminiBody): readonly GeminiPart[] {
  return (body.contents ?? []).flatMap(({ parts = [] }) => parts)
}

function checkContents({ contents = [] }: GeminiBody): GeminiError | undefined {
  if (contents.length === 0) {
    return badArgument('contents', 'contents is not specified')
  }
  for (const [index, { role = 'user', parts = [] }] of contents.entries()) {
    if (role !== 'user' && role !== 'model') {
      return geminiError(400, 'Please use a valid role: user, model.')
    }
    if (parts.length === 0) {
      return badArgument(`contents[${index}].parts`, 'contents.parts must not be empty.')
    }
    const bad = parts.findIndex((part) => (part.text === undefined) === (part.inlineData === undefined))
    if (bad >= 0) {
      return badArgument(
        `contents[${index}].parts[${bad}].data`,
        "required oneof field 'data' must have one initialized field",
      )
    }
  }
  return undefined
}

function checkReferences(body: GeminiBody, model: string): GeminiError | undefined {
  const references = partsOf(body).flatMap(({ inlineData }) => inlineData ?? [])
  if (references.length > MAX_REFERENCES) {
    return geminiError(400, `Please use fewer than ${MAX_REFERENCES + 1} images in your request to models/${model}`)
  }
  for (const { mimeType = '', data = '' } of references) {
    if (!['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif'].includes(mimeType)) {
      return geminiError(400, `Unsupported MIME type: ${mimeType}`)
    }
    const found = trueType(Buffer.from(data.slice(0, 64), 'base64'))
    if (found === undefined) {
      return geminiError(
        400,
        'Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
      )
    }
    if (found !== mimeType.replace('heif', 'heic')) {
      return geminiError(400, `Unhandled generated data mime type: ${found}`)
    }
  }
  return undefined
}

function trueType(bytes: Buffer): string | undefined {
  const head = bytes.toString('latin1', 0, 12)
  if (head.startsWith('\xff\xd8\xff')) {
    return 'image/jpeg'
  }
  if (head.startsWith('\x89PNG\r\n\x1a\n')) {
    return 'image/png'
  }
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) {
    return 'image/webp'
  }
  return head.slice(4, 8) === 'ftyp' ? 'image/heic' : undefined
}
