import type { PictureFormat } from './emulated-picture.ts'
import type { EmulatedFile } from './emulator.ts'
import { moderationError, type OpenAiError, openAiError } from './openai-error.ts'

export interface PictureOrder {
  readonly prompt: string
  readonly model: string
  readonly count: number
  readonly width: number
  readonly height: number
  readonly quality: 'low' | 'medium' | 'high'
  readonly format: PictureFormat
  readonly references: number
}

type Fields = Readonly<Record<string, unknown>>
type Rule = (value: unknown, fields: Fields) => OpenAiError | undefined

/** Every prompt with this word in it is refused as if it were indecent. */
export const REFUSED_WORD = '#moderation'

const SHARED: Readonly<Record<string, Rule>> = {
  prompt: (value) => {
    if (typeof value !== 'string' || value.length === 0) {
      return missing('prompt')
    }
    return value.length > 32_000
      ? invalid('prompt', "Invalid 'prompt': string too long. Expected a string with maximum length 32000.")
      : undefined
  },
  model: (value) => (typeof value === 'string' ? undefined : missing('model')),
  n: integer('n', 1, 10),
  size: (value) => checkSize(value),
  quality: oneOf('quality', ['low', 'medium', 'high', 'auto']),
  output_format: oneOf('output_format', ['png', 'jpeg', 'webp']),
  output_compression: (value, fields) =>
    fields.output_format === 'jpeg' || fields.output_format === 'webp'
      ? integer('output_compression', 0, 100)(value, fields)
      : invalid('output_compression', 'Compression less than 100 is not supported for PNG output format'),
  background: (value, fields) =>
    value === 'transparent' && fields.output_format === 'jpeg'
      ? invalid('background', 'Transparent background is not supported for JPEG output format')
      : oneOf('background', ['opaque', 'auto', 'transparent'])(value, fields),
  user: text('user'),
  safety_identifier: text('safety_identifier'),
}

const RULES: Readonly<Record<'generations' | 'edits', Readonly<Record<string, Rule>>>> = {
  generations: { ...SHARED, moderation: oneOf('moderation', ['auto', 'low']) },
  edits: {
    ...SHARED,
    input_fidelity: () => invalid('input_fidelity', "The 'input_fidelity' parameter is not supported with this model."),
  },
}

/** An order that OpenAI would carry out, or the error that it would answer. */
export function readPictureOrder(
  kind: 'generations' | 'edits',
  fields: Fields,
  options: { models: readonly string[]; references: readonly EmulatedFile[] },
): PictureOrder | OpenAiError {
  const fault = findFault(kind, fields, options)
  if (fault) {
    return fault
  }
  const prompt = String(fields.prompt)
  if (prompt.includes(REFUSED_WORD)) {
    return moderationError()
  }
  const [width, height] =
    fields.size === undefined || fields.size === 'auto' ? [1024, 1024] : String(fields.size).split('x').map(Number)
  return {
    prompt,
    model: String(fields.model),
    count: fields.n === undefined ? 1 : Number(fields.n),
    width: width ?? 1024,
    height: height ?? 1024,
    quality: fields.quality === 'high' || fields.quality === 'low' ? fields.quality : 'medium',
    format: fields.output_format === 'jpeg' || fields.output_format === 'webp' ? fields.output_format : 'png',
    references: options.references.length,
  }
}

function findFault(
  kind: 'generations' | 'edits',
  fields: Fields,
  options: { models: readonly string[]; references: readonly EmulatedFile[] },
): OpenAiError | undefined {
  const rules = RULES[kind]
  for (const [name, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (!rule) {
      return openAiError(400, `Unknown parameter: '${name}'.`, { param: name, code: 'unknown_parameter' })
    }
    const fault = rule(value, fields)
    if (fault) {
      return fault
    }
  }
  for (const name of ['prompt', 'model']) {
    if (fields[name] === undefined) {
      return missing(name)
    }
  }
  if (!options.models.includes(String(fields.model))) {
    return openAiError(404, `The model '${String(fields.model)}' does not exist or you do not have access to it.`, {
      code: 'model_not_found',
    })
  }
  return kind === 'edits' ? checkReferences(options.references) : undefined
}

function checkReferences(references: readonly EmulatedFile[]): OpenAiError | undefined {
  if (references.length === 0) {
    return missing('image')
  }
  if (references.length > 16) {
    return invalid('image', 'Too many images: at most 16 are allowed.')
  }
  for (const { field, contentType, bytes } of references) {
    if (field !== 'image[]' && !(field === 'image' && references.length === 1)) {
      return openAiError(400, `Duplicate parameter: '${field}'. You provided multiple values for this parameter.`, {
        param: field,
        code: 'duplicate_parameter',
      })
    }
    if (!['image/png', 'image/jpeg', 'image/webp'].includes(contentType)) {
      return openAiError(
        400,
        `Invalid file 'image': unsupported mimetype ('${contentType}'). Supported file formats are 'image/jpeg', 'image/png', and 'image/webp'.`,
        {
          param: 'image',
          code: 'unsupported_file_mimetype',
        },
      )
    }
    const head = bytes.toString('latin1', 0, 12)
    if (
      !head.startsWith('\x89PNG') &&
      !head.startsWith('\xff\xd8\xff') &&
      !(head.startsWith('RIFF') && head.endsWith('WEBP'))
    ) {
      return openAiError(400, 'Invalid image file or mode for image 1, please check your image file.', {
        param: 'image',
        code: 'invalid_image_file',
      })
    }
  }
  return undefined
}

function checkSize(value: unknown): OpenAiError | undefined {
  if (value === 'auto') {
    return undefined
  }
  const match = typeof value === 'string' ? /^(\d{1,5})x(\d{1,5})$/.exec(value) : null
  if (!match) {
    return invalid('size', `Invalid value: '${String(value)}'. Supported values are: 'auto' and WIDTHxHEIGHT.`)
  }
  const [width, height] = [Number(match[1]), Number(match[2])]
  const refuse = (why: string): OpenAiError => invalid('size', `Invalid size '${width}x${height}'. ${why}`)
  if (width % 16 !== 0 || height % 16 !== 0) {
    return refuse('Width and height must both be divisible by 16.')
  }
  if (Math.max(width, height) > 3840) {
    return refuse('The longest edge must be less than or equal to 3840.')
  }
  if (Math.max(width, height) > 3 * Math.min(width, height)) {
    return refuse('The aspect ratio must be at most 3:1.')
  }
  if (width * height < 655_360) {
    return refuse('Requested resolution is below the current minimum pixel budget.')
  }
  return width * height > 8_294_400 ? refuse('Requested resolution exceeds the current pixel budget.') : undefined
}

function missing(name: string): OpenAiError {
  return openAiError(400, `Missing required parameter: '${name}'.`, { param: name, code: 'missing_required_parameter' })
}

function invalid(param: string, message: string): OpenAiError {
  return openAiError(400, message, { param, code: 'invalid_value' })
}

function oneOf(name: string, values: readonly string[]): Rule {
  return (value) =>
    typeof value === 'string' && values.includes(value)
      ? undefined
      : invalid(
          name,
          `Invalid value: '${String(value)}'. Supported values are: ${values.map((it) => `'${it}'`).join(', ')}.`,
        )
}

function integer(name: string, low: number, high: number): Rule {
  return (value) => {
    const number = typeof value === 'string' ? Number(value) : value
    const isFine = typeof number === 'number' && Number.isInteger(number) && number >= low && number <= high
    return isFine ? undefined : invalid(name, `Invalid '${name}': expected an integer from ${low} to ${high}.`)
  }
}

function text(name: string): Rule {
  return (value) =>
    typeof value === 'string' && value.length <= 512
      ? undefined
      : invalid(name, `Invalid type for '${name}': expected a string.`)
}
