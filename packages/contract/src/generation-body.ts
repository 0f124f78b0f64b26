import { z } from 'zod'
import { MODELS } from './catalogue.ts'
import { MAX_SIDE, MIN_SIDE, parseSize } from './sizes.ts'

export const STYLES = [
  'photo',
  'illustration',
  'watercolor',
  'fantasy',
  'anime',
  '3d',
  'isometric',
  'general',
  'none',
] as const

export type Style = (typeof STYLES)[number]

export const MAX_PROMPT_LENGTH = 32_000
export const MAX_REFERENCES = 5
export const MAX_REFERENCE_LENGTH = 2048

/** In the vendor's order, which is the order in which faults are reported. */
export const FIELDS = [
  'prompt',
  'style',
  'size',
  'numImages',
  'model',
  'quality',
  'referenceImages',
  'enhancePrompt',
  'preserveOriginal',
  'generateAltText',
] as const

export type Field = (typeof FIELDS)[number]

const QUALITY_CHOICES = MODELS.filter((model) => model.qualities[0].name !== 'standard').map(
  (model) => `${model.qualities.map((quality) => quality.name).join(', ')} (${model.id})`,
)

/** What a field takes, in words that complete "must be". */
export const EXPECTED: Readonly<Record<Field, string>> = {
  prompt: `a string of 1 to ${MAX_PROMPT_LENGTH} characters`,
  style: `one of ${STYLES.join(', ')}`,
  size: `"WxH" with sides of ${MIN_SIDE} to ${MAX_SIDE}, a ratio such as "16:9", square, portrait or landscape`,
  numImages: 'an integer from 1 to 4',
  model: `one of ${MODELS.map((model) => model.id).join(', ')}`,
  quality: `one of ${QUALITY_CHOICES.join(' or ')}`,
  referenceImages: `an array of at most ${MAX_REFERENCES} URLs`,
  enhancePrompt: '"on" or "off"',
  preserveOriginal: 'true or false',
  generateAltText: 'true or false',
}

export const EXPECTED_REFERENCE = `an http(s) URL without credentials of at most ${MAX_REFERENCE_LENGTH} characters`

/** Ends a sentence that names the field. It shows what was sent, so not for prompts and URLs, which may be private. */
export function mustBe(field: Field) {
  return ({ input }: { readonly input?: unknown }) => `must be ${EXPECTED[field]}, not ${show(input)}`
}

function show(input: unknown): string {
  if (typeof input === 'string') {
    return JSON.stringify(input.length > 40 ? `${input.slice(0, 40)}…` : input)
  }
  if (typeof input === 'object' && input !== null) {
    return Array.isArray(input) ? 'an array' : 'an object'
  }
  return String(input)
}

const prompt = z
  .string({ error: ({ input }) => `${input == null ? 'is required and ' : ''}must be ${EXPECTED.prompt}` })
  .trim()
  .check((context) => {
    const fault = promptFault(context.value)
    if (fault !== undefined) {
      context.issues.push({ code: 'custom', input: context.value, message: `must be ${EXPECTED.prompt}${fault}` })
    }
  })

/** PostgreSQL takes no NUL and providers no half character, so neither may pass the door. */
function promptFault(text: string): string | undefined {
  if (text === '') {
    return ', and this one is empty'
  }
  if (text.length > MAX_PROMPT_LENGTH && isLonger(text, MAX_PROMPT_LENGTH)) {
    return ', and this one is longer'
  }
  if (text.includes('\0')) {
    return ' without NUL characters'
  }
  return text.isWellFormed() ? undefined : ' without lone surrogates'
}

/** Counts what a person calls characters more nearly than `length` does: an emoji is one, not two. */
function isLonger(text: string, length: number): boolean {
  return text.length > 2 * length || Array.from(text).length > length
}

const size = z.string({ error: mustBe('size') }).transform((text, context) => {
  const parsed = parseSize(text)
  if (!parsed) {
    context.issues.push({ code: 'custom', input: text, message: mustBe('size')({ input: text }) })
    return z.NEVER
  }
  return parsed
})

const QUALITIES = MODELS.flatMap((model) => [
  ...model.qualities.map((quality) => quality.name),
  ...Object.keys(model.qualityAliases),
])

// The number of items is checked before any of them, or a million bad ones would make a million issues.
const referenceImages = z
  .array(z.unknown().meta({ type: 'string', description: EXPECTED_REFERENCE }), { error: mustBe('referenceImages') })
  .refine((items) => items.length <= MAX_REFERENCES, {
    error: ({ input }) => `must be ${EXPECTED.referenceImages}, not of ${Array.isArray(input) ? input.length : 'more'}`,
  })
  .meta({ maxItems: MAX_REFERENCES })
  .pipe(
    z.array(
      z.string({ error: `must be ${EXPECTED_REFERENCE}` }).refine(isReferenceUrl, `must be ${EXPECTED_REFERENCE}`),
    ),
  )

/** Syntax only. Where it leads is checked when it is fetched, at the moment of connecting. */
function isReferenceUrl(text: string): boolean {
  if (text.length > MAX_REFERENCE_LENGTH || !/^https?:\/\/[^/]/i.test(text) || /[\p{Cc}\p{Cs}\\]/u.test(text)) {
    return false
  }
  const url = URL.parse(text)
  return url !== null && url.username === '' && url.password === ''
}

/** The body of a POST as clients send it, with the contract's leniencies. It drops fields that it does not know. */
export const generationBodySchema = z.object({
  prompt: prompt.describe(EXPECTED.prompt),
  style: optional(z.enum(STYLES, { error: mustBe('style') })).describe(EXPECTED.style),
  size: optional(size).describe(EXPECTED.size),
  numImages: optional(
    z.literal([1, 2, 3, 4, '1', '2', '3', '4'], { error: mustBe('numImages') }).transform(Number),
  ).describe(EXPECTED.numImages),
  model: optional(z.string({ error: mustBe('model') })).describe(EXPECTED.model),
  quality: optional(z.enum(QUALITIES, { error: mustBe('quality') })).describe(EXPECTED.quality),
  referenceImages: optional(referenceImages).describe(EXPECTED.referenceImages),
  enhancePrompt: optional(
    z
      .literal(['on', 'off', true, false], { error: mustBe('enhancePrompt') })
      .transform((value) => value === true || value === 'on'),
  ).describe(EXPECTED.enhancePrompt),
  preserveOriginal: optional(bool('preserveOriginal')).describe(EXPECTED.preserveOriginal),
  generateAltText: optional(bool('generateAltText')).describe(EXPECTED.generateAltText),
})

/** The body of a POST as a client should write it. */
export interface GenerationBody {
  prompt: string
  style?: Style | undefined
  size?: string | undefined
  numImages?: number | undefined
  model?: string | undefined
  quality?: string | undefined
  referenceImages?: string[] | undefined
  enhancePrompt?: 'on' | 'off' | undefined
  preserveOriginal?: boolean | undefined
  generateAltText?: boolean | undefined
}

function bool(field: Field) {
  return z
    .literal([true, false, 'true', 'false'], { error: mustBe(field) })
    .transform((value) => value === true || value === 'true')
}

/** Null means absent. */
function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined)
}
