import {
  ALIAS_DEFAULT_QUALITIES,
  DEFAULT_MODEL,
  findQuality,
  isModelId,
  MODELS,
  type ModelEntry,
  type ModelId,
  modelEntry,
  type Plan,
  type Quality,
} from './catalogue.ts'
import { ApiError } from './errors.ts'
import {
  EXPECTED,
  EXPECTED_REFERENCE,
  FIELDS,
  type Field,
  generationBodySchema,
  mustBe,
  type Style,
} from './generation-body.ts'
import type { Simulation } from './simulation.ts'
import { DEFAULT_SIZE, type Size, snapSize } from './sizes.ts'

/** What a POST asks for, with every default, alias and price resolved. */
export interface GenerationOrder {
  prompt: string
  style: Style
  /** The client sent style itself. */
  styleGiven: boolean
  model: ModelId
  quality: Quality
  size: Size
  numImages: number
  enhancePrompt: boolean
  generateAltText: boolean
  preserveOriginal: boolean
  referenceImages: string[]
  creditsPerImage: number
  requiredPlan: Plan
  /** At most 20 fields, 64 characters of each: what has no effect on this model first, then unknown ones. */
  ignoredParams: string[]
  /** Faults that the client asks for, by a header that the operator allows: not of the body. */
  simulation?: Simulation
}

/** One image in the answer to a POST; the answer is a bare array of them. */
export interface GeneratedImage {
  url: string
  alt: string
}

/** Names for models beyond their own. */
export type ModelAliases = ReadonlyMap<string, string> | Readonly<Record<string, string>>

const MAX_IGNORED_PARAMS = 20
const MAX_IGNORED_LENGTH = 64

/** Reads a body already parsed as JSON. Throws `invalid_request` with its first fault, and all of them in `details`. */
export function parseGenerationRequest(body: unknown, options: { aliases: ModelAliases }): GenerationOrder {
  if (!isObject(body)) {
    const expected = 'a JSON object such as {"prompt":"cat"}'
    throw invalidRequest([{ field: 'body', expected, message: `The body must be ${expected}.` }])
  }
  const sent = ownFields(body)
  const parsed = generationBodySchema.safeParse(sent)
  const model = findModel(sent.model ?? DEFAULT_MODEL, options.aliases)
  const faults = FIELDS.flatMap((field) => [
    ...modelFaults(field, sent[field], model),
    ...(parsed.error?.issues ?? []).filter(({ path }) => path[0] === field).map((issue) => fieldFault(field, issue)),
  ])
  if (!parsed.success || !model || faults.length > 0) {
    throw invalidRequest(faults)
  }
  return resolveOrder(parsed.data, model, unknownFields(body))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function ownFields(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(FIELDS.filter((field) => Object.hasOwn(body, field)).map((field) => [field, body[field]]))
}

function unknownFields(body: Record<string, unknown>): string[] {
  const known: readonly string[] = FIELDS
  return Object.keys(body).filter((name) => name !== '' && !known.includes(name))
}

function findModel(name: unknown, aliases: ModelAliases): ModelEntry | undefined {
  if (typeof name !== 'string') {
    return undefined
  }
  const id = isModelId(name) ? name : aliasTarget(name, aliases)
  return id !== undefined && isModelId(id) ? modelEntry(id) : undefined
}

function aliasTarget(name: string, aliases: ModelAliases): string | undefined {
  if (isMap(aliases)) {
    return aliases.get(name)
  }
  return Object.hasOwn(aliases, name) ? aliases[name] : undefined
}

function isMap(aliases: ModelAliases): aliases is ReadonlyMap<string, string> {
  return aliases instanceof Map
}

interface Fault {
  /** Where: a field, or one item of it. */
  readonly field: string
  readonly expected: string
  /** One sentence that names the field and what it takes. */
  readonly message: string
}

/** Faults that no field has by itself: they depend on the table of models. */
function modelFaults(field: Field, value: unknown, model: ModelEntry | undefined): Fault[] {
  if (field === 'model' && typeof value === 'string' && !model) {
    return [{ field, expected: EXPECTED.model, message: `model ${mustBe('model')({ input: value })}.` }]
  }
  if (field === 'referenceImages' && Array.isArray(value) && value.length > 0 && model && !model.supportsReferences) {
    const able = MODELS.filter((other) => other.supportsReferences).map((other) => other.id)
    const expected = `empty or absent for ${model.id}, because only ${able.join(' and ')} take reference images`
    return [{ field, expected, message: `referenceImages must be ${expected}.` }]
  }
  return []
}

function fieldFault(field: Field, issue: { readonly path: readonly PropertyKey[]; readonly message: string }): Fault {
  const index = issue.path[1]
  const name = index === undefined ? field : `${field}[${String(index)}]`
  const expected = index === undefined ? EXPECTED[field] : EXPECTED_REFERENCE
  return { field: name, expected, message: `${name} ${issue.message}.` }
}

function invalidRequest(faults: readonly Fault[]): ApiError {
  const [first] = faults
  const message = first?.message ?? 'The request is malformed.'
  return new ApiError('invalid_request', message, {
    details: { field: first?.field, expected: first?.expected, issues: faults },
  })
}

type ParsedBody = ReturnType<typeof generationBodySchema.parse>

function resolveOrder(body: ParsedBody, model: ModelEntry, unknownNames: readonly string[]): GenerationOrder {
  const known = body.quality === undefined ? undefined : findQuality(model, body.quality)
  const quality = known ?? defaultQuality(model, body.model)
  const style = body.style ?? 'photo'
  const ignored = [
    ...(body.quality !== undefined && !known ? ['quality'] : []),
    ...(body.preserveOriginal && !model.honoursPreserveOriginal ? ['preserveOriginal'] : []),
    ...unknownNames.slice(0, MAX_IGNORED_PARAMS).map((name) => name.slice(0, MAX_IGNORED_LENGTH).toWellFormed()),
  ]
  return {
    prompt: body.prompt,
    style,
    styleGiven: body.style !== undefined,
    model: model.id,
    quality: quality.name,
    size: snapSize(model.id, body.size ?? DEFAULT_SIZE),
    numImages: body.numImages ?? 1,
    enhancePrompt: body.enhancePrompt ?? style !== 'none',
    generateAltText: body.generateAltText ?? false,
    preserveOriginal: (body.preserveOriginal ?? false) && model.honoursPreserveOriginal,
    referenceImages: body.referenceImages ?? [],
    creditsPerImage: quality.credits,
    requiredPlan: quality.plan,
    ignoredParams: ignored.slice(0, MAX_IGNORED_PARAMS),
  }
}

function defaultQuality(model: ModelEntry, name: string | undefined) {
  const special =
    name !== undefined && Object.hasOwn(ALIAS_DEFAULT_QUALITIES, name) ? ALIAS_DEFAULT_QUALITIES[name] : undefined
  return model.qualities.find((quality) => quality.name === special) ?? model.qualities[0]
}
