import { badField, type GeminiError, invalidValue, unknownName } from './gemini-error.ts'

/** The body of generateContent, as far as providers.md allows it. */
export interface GeminiBody {
  readonly contents?: readonly GeminiContent[]
  readonly generationConfig?: {
    readonly responseModalities?: readonly string[]
    readonly imageConfig?: { readonly aspectRatio?: string; readonly imageSize?: string }
    readonly candidateCount?: number
  }
  readonly safetySettings?: readonly { readonly category?: string; readonly threshold?: string }[]
}

export interface GeminiContent {
  readonly role?: string
  readonly parts?: readonly GeminiPart[]
}

export interface GeminiPart {
  readonly text?: string
  readonly inlineData?: { readonly mimeType?: string; readonly data?: string }
}

type Check = (value: unknown, path: string) => GeminiError | undefined

const PROTO = 'type.googleapis.com/google.ai.generativelanguage.v1beta'

const BODY = message({
  contents: list(
    message({ role: text, parts: list(message({ text, inlineData: message({ mimeType: text, data }) })) }),
  ),
  generationConfig: message({
    responseModalities: list(
      oneOf(`${PROTO}.GenerationConfig.Modality`, ['MODALITY_UNSPECIFIED', 'TEXT', 'IMAGE', 'AUDIO']),
    ),
    imageConfig: message({ aspectRatio: text, imageSize: text }),
    candidateCount: integer,
  }),
  safetySettings: list(
    message({
      category: oneOf(
        `${PROTO}.HarmCategory`,
        ['HARASSMENT', 'HATE_SPEECH', 'SEXUALLY_EXPLICIT', 'DANGEROUS_CONTENT', 'CIVIC_INTEGRITY'].map(
          (it) => `HARM_CATEGORY_${it}`,
        ),
      ),
      threshold: oneOf(`${PROTO}.SafetySetting.HarmBlockThreshold`, [
        'BLOCK_LOW_AND_ABOVE',
        'BLOCK_MEDIUM_AND_ABOVE',
        'BLOCK_ONLY_HIGH',
        'BLOCK_NONE',
        'OFF',
      ]),
    }),
  ),
})

/**
 * What Google says of a body whose names and types don't fit, else undefined. Keys must be camelCase, which is stricter
 * than Google, who takes snake_case too.
 */
export function findBadField(body: unknown): GeminiError | undefined {
  return BODY(body, '')
}

/** Tells whether a body fits, so that its fields can be read without looking at their types again. */
export function isGeminiBody(body: unknown): body is GeminiBody {
  return findBadField(body) === undefined
}

function message(fields: Readonly<Record<string, Check>>): Check {
  const checkField = (name: string, value: unknown, path: string): GeminiError | undefined => {
    const check = Object.hasOwn(fields, name) ? fields[name] : undefined
    const inner = path === '' ? snakeCase(name) : `${path}.${snakeCase(name)}`
    return check ? check(value, inner) : unknownName(name, path)
  }
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return path === ''
        ? badField('Invalid JSON payload received. Expected an object.', path)
        : invalidValue(path, 'TYPE_MESSAGE', value)
    }
    return firstFault(Object.entries(value), ([name, inner]) => checkField(name, inner, path))
  }
}

function list(check: Check): Check {
  return (value, path) =>
    Array.isArray(value)
      ? firstFault([...value.entries()], ([index, inner]) => check(inner, `${path}[${index}]`))
      : invalidValue(path, 'TYPE_MESSAGE', value)
}

function firstFault<T>(items: readonly T[], check: (item: T) => GeminiError | undefined): GeminiError | undefined {
  for (const item of items) {
    const fault = check(item)
    if (fault) {
      return fault
    }
  }
  return undefined
}

function oneOf(type: string, values: readonly string[]): Check {
  return (value, path) =>
    typeof value === 'string' && values.includes(value) ? undefined : invalidValue(path, type, value)
}

function text(value: unknown, path: string): GeminiError | undefined {
  return typeof value === 'string' ? undefined : invalidValue(path, 'TYPE_STRING', value)
}

function integer(value: unknown, path: string): GeminiError | undefined {
  return Number.isInteger(value) ? undefined : invalidValue(path, 'TYPE_INT32', value)
}

function data(value: unknown, path: string): GeminiError | undefined {
  if (typeof value !== 'string') {
    return invalidValue(path, 'TYPE_BYTES', value)
  }
  return /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0
    ? undefined
    : badField(`Invalid value at '${path}' (TYPE_BYTES), Base64 decoding failed for "${value.slice(0, 40)}"`, path)
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
