import { type OpenAiError, openAiError } from './openai-error.ts'

type Fields = Readonly<Record<string, unknown>>

const KNOWN = new Set([
  'model',
  'input',
  'instructions',
  'reasoning',
  'max_output_tokens',
  'store',
  'text',
  'temperature',
  'user',
  'safety_identifier',
  'metadata',
])
const EFFORTS = ['none', 'low', 'medium', 'high', 'xhigh', 'max']

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The body of an answer of /v1/responses with the text that the caller's schema asks for, or OpenAI's error. */
export function answerResponses(body: Fields, models: readonly string[]): OpenAiError | { readonly body: Fields } {
  for (const name of Object.keys(body)) {
    if (!KNOWN.has(name)) {
      return openAiError(400, `Unknown parameter: '${name}'.`, { param: name, code: 'unknown_parameter' })
    }
  }
  if (typeof body.model !== 'string' || !models.includes(body.model)) {
    return openAiError(400, `The requested model '${String(body.model)}' does not exist.`, {
      param: 'model',
      code: 'model_not_found',
    })
  }
  if (typeof body.input !== 'string' && !Array.isArray(body.input)) {
    return openAiError(400, "Missing required parameter: 'input'.", {
      param: 'input',
      code: 'missing_required_parameter',
    })
  }
  const fault = checkReasoning(body) ?? checkFormat(body.text)
  if (fault) {
    return fault
  }
  const input = typeof body.input === 'string' ? body.input : JSON.stringify(body.input)
  return { body: response(body, JSON.stringify(fill(body.text, input))) }
}

function checkReasoning(body: Fields): OpenAiError | undefined {
  const effort = isFields(body.reasoning) ? (body.reasoning.effort ?? 'medium') : 'medium'
  if (!EFFORTS.includes(String(effort))) {
    return openAiError(400, `Invalid value: '${String(effort)}'.`, { param: 'reasoning.effort', code: 'invalid_value' })
  }
  if (body.temperature !== undefined && effort !== 'none') {
    return openAiError(400, "Unsupported parameter: 'temperature' is not supported with this model.", {
      param: 'temperature',
      code: 'unsupported_parameter',
    })
  }
  const tokens = body.max_output_tokens
  if (tokens !== undefined && (typeof tokens !== 'number' || !Number.isInteger(tokens) || tokens < 16)) {
    return openAiError(400, "Invalid 'max_output_tokens': integer below minimum value.", {
      param: 'max_output_tokens',
      code: 'integer_below_min_value',
    })
  }
  return undefined
}

function checkFormat(text: unknown): OpenAiError | undefined {
  const format = isFields(text) ? text.format : undefined
  if (!isFields(format) || format.type !== 'json_schema') {
    return undefined
  }
  if (typeof format.name !== 'string' || !/^[\w-]{1,64}$/.test(format.name)) {
    return openAiError(400, "Missing required parameter: 'text.format.name'.", {
      param: 'text.format.name',
      code: 'missing_required_parameter',
    })
  }
  const fault = format.strict === true ? findSchemaFault(format.schema, '()') : undefined
  return fault === undefined
    ? undefined
    : openAiError(400, `Invalid schema for response_format '${format.name}': ${fault}`, {
        param: 'text.format.schema',
        code: 'invalid_json_schema',
      })
}

/** Strict schemas: each object closed, each key required. */
function findSchemaFault(schema: unknown, context: string): string | undefined {
  if (!isFields(schema)) {
    return `In context=${context}, schema must be an object.`
  }
  if (schema.type !== 'object') {
    return undefined
  }
  if (schema.additionalProperties !== false) {
    return `In context=${context}, 'additionalProperties' is required to be supplied and to be false.`
  }
  const properties = isFields(schema.properties) ? schema.properties : {}
  const required: unknown[] = Array.isArray(schema.required) ? schema.required : []
  for (const [name, property] of Object.entries(properties)) {
    if (!required.includes(name)) {
      return `In context=${context}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${name}'.`
    }
    const fault = findSchemaFault(property, `('properties', '${name}')`)
    if (fault) {
      return fault
    }
  }
  return undefined
}

/** A text for each key of the schema: recognizable, and different for each input. */
function fill(text: unknown, input: string): Record<string, string> {
  const format = isFields(text) ? text.format : undefined
  const schema = isFields(format) ? format.schema : undefined
  const properties = isFields(schema) && isFields(schema.properties) ? schema.properties : {}
  const subject = readSubject(input)
  return Object.fromEntries(
    Object.keys(properties).map((name) => [
      name,
      name === 'alt' ? `A picture of ${subject.slice(0, 120)}` : `${subject}, in soft morning light`,
    ]),
  )
}

function readSubject(input: string): string {
  try {
    const parsed: unknown = JSON.parse(input)
    return isFields(parsed) && typeof parsed.prompt === 'string' ? parsed.prompt : input
  } catch {
    // Plain text is as good an input as JSON.
    return input
  }
}

function response(request: Fields, text: string): Fields {
  const [inputTokens, outputTokens] = [Math.ceil(JSON.stringify(request).length / 4), Math.ceil(text.length / 4)]
  return {
    id: 'resp_emulated',
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'completed',
    error: null,
    incomplete_details: null,
    model: request.model,
    store: request.store ?? true,
    output: [
      {
        id: 'msg_emulated',
        type: 'message',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
      },
    ],
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + outputTokens,
    },
  }
}
