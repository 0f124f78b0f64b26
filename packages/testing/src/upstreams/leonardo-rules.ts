import { type LeonardoError, leonardoError, moderationError } from './leonardo-error.ts'
import { REFUSED_WORD } from './openai-rules.ts'

export interface LeonardoOrder {
  readonly prompt: string
  readonly model: string
  readonly count: number
  readonly width: number
  readonly height: number
  readonly mode: 'FAST' | 'QUALITY' | 'ULTRA'
}

type Fields = Readonly<Record<string, unknown>>
type Rule = (value: unknown, fields: Fields) => LeonardoError | undefined

export const PHOENIX_V2 = 'phoenix-v1.0'
export const PHOENIX_V1 = 'de7d3faf-762f-48e0-b3b7-9d0ac3a3fcf3'

/** The styles of Phoenix that are written down. */
const STYLES = [
  '111dc692-d470-4eec-b791-3475abac4c46',
  '556c1ee5-ec38-42e8-955a-1e82dad0ffa1',
  'debdf72a-91a4-467b-bf61-cc02bdeb69c6',
  '645e4195-f63d-4715-a3f2-3fb1e6eb8c70',
  'a5632c7c-ddbb-4e2f-ba34-8456ab3ac436',
  '6fedbf1f-4a17-45ec-84fb-92fe524a29ef',
  '5bdc3f2a-1be6-4d1c-8e77-992a30824a2c',
  '7c3f932b-a572-47cb-9b9b-f20211e63b5b',
  'ab5a4220-7c42-41e5-a578-eddb9fed3d75',
  '093accc3-7633-4ffd-82da-d34000dfc0d6',
  'dee282d3-891f-4f73-ba02-7f8131e5541b',
]
const CONTRASTS = [1, 1.3, 1.8, 2.5, 3, 3.5, 4, 4.5]

const V2_BODY: Readonly<Record<string, Rule>> = {
  model: (value) => (value === PHOENIX_V2 ? undefined : bad(`Model ${String(value)} not found`)),
  public: boolean('public'),
  parameters: (value) => (isFields(value) ? undefined : wrongType('an object', 'parameters')),
}

const V2_PARAMETERS: Readonly<Record<string, Rule>> = {
  prompt: prompt(2000),
  mode: oneOf('mode', ['FAST', 'QUALITY', 'ULTRA']),
  contrast: oneOf('contrast', ['LOW', 'MEDIUM', 'HIGH']),
  width: side(2048),
  height: side(2048),
  quantity: (value) => (isWhole(value, 1, 8) ? undefined : bad('too many images: quantity must be from 1 to 8')),
  style_ids: (value) =>
    Array.isArray(value) && value.length === 1 && STYLES.includes(String(value[0])) ? undefined : bad('invalid style'),
  prompt_enhance: oneOf('prompt_enhance', ['AUTO', 'ON', 'OFF']),
  negative_prompt: (value) =>
    typeof value === 'string' && value.length <= 1000 ? undefined : bad('Invalid negative prompt'),
  seed: (value) => (isWhole(value, 0, 2 ** 32) ? undefined : wrongType('an integer', 'seed')),
  tiling: boolean('tiling'),
  guidances: (value) => (isFields(value) ? undefined : wrongType('an object', 'guidances')),
}

const V1_BODY: Readonly<Record<string, Rule>> = {
  modelId: (value) => (value === PHOENIX_V1 ? undefined : bad('model not found')),
  prompt: prompt(1500),
  width: side(1536),
  height: side(1536),
  num_images: (value, { width, height }) =>
    isWhole(value, 1, Math.max(Number(width ?? 1024), Number(height ?? 768)) > 768 ? 4 : 8)
      ? undefined
      : bad('too many images'),
  contrast: (value, { alchemy }) =>
    CONTRASTS.includes(Number(value)) && typeof value === 'number' && (alchemy === false || value >= 2.5)
      ? undefined
      : bad('Invalid contrast'),
  alchemy: boolean('alchemy'),
  public: boolean('public'),
  styleUUID: (value) => (STYLES.includes(String(value)) ? undefined : bad('invalid style')),
  enhancePrompt: boolean('enhancePrompt'),
  ultra: (value, { alchemy }) =>
    value === true && alchemy !== false ? bad('ultra and alchemy exclude each other') : boolean('ultra')(value, {}),
}

/** An order that Leonardo would carry out, or the error that it would answer. */
export function readLeonardoOrder(version: 'v1' | 'v2', body: Fields): LeonardoOrder | LeonardoError {
  const parameters = version === 'v2' && isFields(body.parameters) ? body.parameters : {}
  const fault =
    version === 'v2'
      ? (findFault(V2_BODY, body, ['model', 'parameters']) ?? findFault(V2_PARAMETERS, parameters, ['prompt']))
      : findFault(V1_BODY, body, ['modelId', 'prompt', 'contrast'])
  if (fault) {
    return fault
  }
  const order = version === 'v2' ? orderV2(body, parameters) : orderV1(body)
  return order.prompt.includes(REFUSED_WORD) ? moderationError() : order
}

function orderV2(body: Fields, parameters: Fields): LeonardoOrder {
  const { mode } = parameters
  return {
    prompt: String(parameters.prompt),
    model: String(body.model),
    count: Number(parameters.quantity ?? 4),
    width: Number(parameters.width ?? 1024),
    height: Number(parameters.height ?? 1024),
    mode: mode === 'QUALITY' || mode === 'ULTRA' ? mode : 'FAST',
  }
}

function orderV1(body: Fields): LeonardoOrder {
  return {
    prompt: String(body.prompt),
    model: String(body.modelId),
    count: Number(body.num_images ?? 4),
    width: Number(body.width ?? 1024),
    height: Number(body.height ?? 768),
    mode: body.ultra === true ? 'ULTRA' : body.alchemy === false ? 'FAST' : 'QUALITY',
  }
}

function findFault(
  rules: Readonly<Record<string, Rule>>,
  fields: Fields,
  required: readonly string[],
): LeonardoError | undefined {
  for (const [name, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    const fault = rule ? rule(value, fields) : bad(`Unexpected variable ${name}`)
    if (fault) {
      return fault
    }
  }
  const missing = required.find((name) => fields[name] === undefined)
  return missing === undefined ? undefined : bad(`Missing required variable ${missing}`)
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWhole(value: unknown, low: number, high: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high
}

function bad(message: string): LeonardoError {
  return leonardoError(400, message, { code: 'bad-request' })
}

function wrongType(what: string, name: string): LeonardoError {
  return leonardoError(400, `expected ${what} for ${name}`, { code: 'validation-failed' })
}

function boolean(name: string): Rule {
  return (value) => (typeof value === 'boolean' ? undefined : wrongType('a boolean', name))
}

function oneOf(name: string, values: readonly string[]): Rule {
  return (value) =>
    values.includes(String(value)) ? undefined : bad(`Invalid ${name}, must be one of ${values.join(', ')}`)
}

function side(longest: number): Rule {
  return (value) => (isWhole(value, 32, longest) && Number(value) % 8 === 0 ? undefined : bad('invalid dimensions'))
}

function prompt(longest: number): Rule {
  return (value) => {
    if (typeof value !== 'string' || value.length === 0) {
      return bad('Invalid prompt')
    }
    return value.length > longest ? bad(`Invalid prompt, maximum length of ${longest} characters exceeded.`) : undefined
  }
}
