import { type OpenAiError, openAiError } from './openai-error.ts'
import { type PictureOrder, REFUSED_WORD } from './openai-rules.ts'

/** How a compatible server hands its picture over: some do as they are asked, others have their own way. */
export type PictureForm = 'base64' | 'data_url' | 'link' | 'relative_link'

const KNOWN = ['prompt', 'model', 'n', 'size', 'response_format']

/** Where its links lead. */
export const LINK_PATH = '/generated-images/'

/**
 * An order as a strict compatible server takes it: of all fields of OpenAI only the five oldest. Its pictures are
 * smaller than asked for, as those of many small models are.
 */
export function readCompatibleOrder(
  kind: 'generations' | 'edits',
  fields: Readonly<Record<string, unknown>>,
  options: { models: readonly string[]; references: number },
): PictureOrder | OpenAiError {
  const fault = findFault(fields, options.models)
  if (fault !== undefined) {
    return openAiError(400, fault)
  }
  if (kind === 'edits' && options.references === 0) {
    return openAiError(400, 'image: field required')
  }
  const prompt = String(fields.prompt)
  if (prompt.includes(REFUSED_WORD)) {
    return openAiError(400, 'The prompt is not allowed.', { code: 'content_policy_violation' })
  }
  const [width = 0, height = 0] = String(fields.size).split('x').map(Number)
  return {
    prompt,
    model: String(fields.model),
    count: 1,
    width: width / 2,
    height: height / 2,
    quality: 'low',
    format: 'png',
    references: options.references,
  }
}

function findFault(fields: Readonly<Record<string, unknown>>, models: readonly string[]): string | undefined {
  const unknown = Object.keys(fields).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) {
    return `${unknown}: extra fields not permitted`
  }
  if (typeof fields.prompt !== 'string' || fields.prompt === '') {
    return 'prompt: field required'
  }
  if (!models.includes(String(fields.model))) {
    return `could not load model ${String(fields.model)}`
  }
  if (Number(fields.n) !== 1) {
    return 'n: only one picture at a time'
  }
  if (!/^\d{2,4}x\d{2,4}$/.test(String(fields.size))) {
    return 'size: expected WIDTHxHEIGHT'
  }
  return fields.response_format === 'b64_json' ? undefined : 'response_format: expected b64_json'
}
