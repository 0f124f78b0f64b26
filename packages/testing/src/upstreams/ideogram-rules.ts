import type { EmulatedFile } from './emulator.ts'
import { type IdeogramError, problem, safetyError } from './ideogram-error.ts'
import { REFUSED_WORD } from './openai-rules.ts'

export interface IdeogramOrder {
  readonly prompt: string
  readonly count: number
  readonly width: number
  readonly height: number
  readonly styleType: string
  readonly seed: number | undefined
}

type Fields = Readonly<Record<string, string>>
/** Says what is wrong with a value, or nothing. */
type Rule = (value: string, fields: Fields) => string | undefined

/** By width; kept apart from the adapter's own list, so that a slip in one of them shows. */
const HEIGHTS: Readonly<Record<number, readonly number[]>> = {
  512: [1536],
  576: [1408, 1472, 1536],
  640: [1344, 1408, 1472, 1536],
  704: [1152, 1216, 1280, 1344, 1408, 1472],
  736: [1312],
  768: [1088, 1216, 1280, 1344],
  800: [1280],
  832: [960, 1024, 1088, 1152, 1216, 1248],
  864: [1152],
  896: [960, 1024, 1088, 1120, 1152],
  960: [832, 896, 1024, 1088],
  1024: [832, 896, 960, 1024],
  1088: [768, 832, 896, 960],
  1120: [896],
  1152: [704, 832, 864, 896],
  1216: [704, 768, 832],
  1248: [832],
  1280: [704, 768, 800],
  1312: [736],
  1344: [640, 704, 768],
  1408: [576, 640, 704],
  1472: [576, 640, 704],
  1536: [512, 576, 640],
}
export const RESOLUTIONS = Object.entries(HEIGHTS).flatMap(([width, heights]) =>
  heights.map((height) => `${width}x${height}`),
)
const RATIOS = '1x1 1x2 1x3 2x1 2x3 3x1 3x2 3x4 4x3 4x5 5x4 9x16 16x9 10x16 16x10'.split(' ')

const RULES: Readonly<Record<string, Rule>> = {
  prompt: (value) => (value === '' ? "'' is too short" : undefined),
  resolution: oneOf(RESOLUTIONS),
  aspect_ratio: (value, fields) =>
    fields.resolution === undefined ? oneOf(RATIOS)(value, fields) : 'not both of resolution and aspect_ratio',
  rendering_speed: oneOf(['FLASH', 'TURBO', 'DEFAULT', 'QUALITY']),
  magic_prompt: oneOf(['AUTO', 'ON', 'OFF']),
  negative_prompt: () => undefined,
  num_images: integer(1, 8),
  seed: integer(0, 2_147_483_647),
  style_type: oneOf(['AUTO', 'GENERAL', 'REALISTIC', 'DESIGN', 'FICTION']),
  // 62 names, which providers.md does not list.
  style_preset: like(/^[A-Z0-9]+(_[A-Z0-9]+)*$/),
  style_codes: (value, fields) =>
    fields.style_type === undefined
      ? like(/^[0-9A-Fa-f]{8}$/)(value, fields)
      : 'not both of style_codes and style_type',
  color_palette: (value) => (isPalette(value) ? undefined : `'${value}' is not a color palette`),
  custom_model_uri: like(/^\S+$/),
  enable_copyright_detection: oneOf(['true', 'false']),
}

const FILE_FIELDS = ['style_reference_images', 'character_reference_images', 'character_reference_images_mask']
const MAX_FILE_BYTES = 10 * 1024 * 1024

/** An order that Ideogram would carry out, or the error that it would answer. */
export function readIdeogramOrder(fields: Fields, files: readonly EmulatedFile[]): IdeogramOrder | IdeogramError {
  const fault = findFault(fields) ?? findFileFault(fields, files)
  if (fault !== undefined) {
    return problem(400, 'Bad Request', fault)
  }
  const { prompt = '', resolution, aspect_ratio: ratio, num_images: count, style_type: styleType, seed } = fields
  if (prompt.includes(REFUSED_WORD)) {
    return safetyError()
  }
  const [width = 0, height = 0] = (resolution ?? largestLike(ratio ?? '1x1')).split('x').map(Number)
  return {
    prompt,
    count: Number(count ?? 1),
    width,
    height,
    styleType: styleType ?? 'GENERAL',
    seed: seed === undefined ? undefined : Number(seed),
  }
}

function findFault(fields: Fields): string | undefined {
  if (fields.prompt === undefined) {
    return "'prompt' is a required property"
  }
  for (const [name, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined
    const fault = rule === undefined ? 'Additional properties are not allowed' : rule(value, fields)
    if (fault !== undefined) {
      return `${fault} - '${name}'`
    }
  }
  return undefined
}

function findFileFault(fields: Fields, files: readonly EmulatedFile[]): string | undefined {
  const count = (field: string): number => files.filter((file) => file.field === field).length
  if (files.some(({ field }) => !FILE_FIELDS.includes(field))) {
    return 'Additional properties are not allowed'
  }
  if (files.some(({ contentType }) => !/^image\/(jpeg|png|webp)$/.test(contentType))) {
    return 'images must be JPEG, PNG or WebP'
  }
  if (files.reduce((sum, { bytes }) => sum + bytes.length, 0) > MAX_FILE_BYTES) {
    return 'images are larger than 10 MB in total'
  }
  if (fields.style_codes !== undefined && count('style_reference_images') > 0) {
    return 'not both of style_codes and style_reference_images'
  }
  const characters = count('character_reference_images')
  if (characters > 1 || count('character_reference_images_mask') > characters) {
    return 'one character reference image, and one mask for it'
  }
  return undefined
}

/** Which pixels each ratio has is not published: the largest listed resolution that is nearest. */
function largestLike(ratio: string): string {
  const shape = (text: string) => {
    const [width = 1, height = 1] = text.split('x').map(Number)
    return { log: Math.log(width / height), pixels: width * height }
  }
  const wanted = shape(ratio).log
  const far = (text: string): number => Math.round(Math.abs(shape(text).log - wanted) * 1e6)
  const [best = ''] = [...RESOLUTIONS].sort((a, b) => far(a) - far(b) || shape(b).pixels - shape(a).pixels)
  return best
}

function isPalette(value: string): boolean {
  let palette: unknown
  try {
    palette = JSON.parse(value)
  } catch {
    // What is no JSON is no palette.
    return false
  }
  const { name, members, ...rest } = Object(palette)
  if (Object.keys(rest).length > 0 || (name === undefined) === (members === undefined)) {
    return false
  }
  return name === undefined ? Array.isArray(members) && members.every(isPaletteMember) : /^[A-Z_]+$/.test(String(name))
}

function isPaletteMember(member: unknown): boolean {
  const { color_hex: hex, color_weight: weight = 1, ...rest } = Object(member)
  const isWeight = typeof weight === 'number' && weight > 0 && weight <= 1
  return Object.keys(rest).length === 0 && /^#[0-9A-Fa-f]{6}$/.test(String(hex)) && isWeight
}

function oneOf(values: readonly string[]): Rule {
  return (value) => (values.includes(value) ? undefined : `'${value}' is not one of [${values.join(', ')}]`)
}

function like(pattern: RegExp): Rule {
  return (value) => (pattern.test(value) ? undefined : `'${value}' does not match '${pattern.source}'`)
}

function integer(low: number, high: number): Rule {
  return (value) =>
    /^\d{1,10}$/.test(value) && Number(value) >= low && Number(value) <= high
      ? undefined
      : `'${value}' is not an integer from ${low} to ${high}`
}
