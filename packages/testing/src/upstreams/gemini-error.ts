/** What the emulator answers instead of a picture, in Google's own form. */
export interface GeminiError {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly error: {
    readonly code: number
    readonly message: string
    readonly status: string
    readonly details?: readonly unknown[]
  }
}

const WORDS: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

export function geminiError(
  status: number,
  message: string,
  rest: { word?: string; details?: readonly unknown[]; headers?: Record<string, string> } = {},
): GeminiError {
  const { word = WORDS[status] ?? 'UNKNOWN', details, headers = {} } = rest
  return { status, headers, error: { code: status, message, status: word, ...(details && { details }) } }
}

/** A body that does not fit the proto, with the path to what is wrong in it. */
export function badField(message: string, path: string): GeminiError {
  const violation = { ...(path !== '' && { field: path }), description: message }
  return geminiError(400, message, {
    details: [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [violation] }],
  })
}

export function unknownName(name: string, path: string): GeminiError {
  const where = path === '' ? '' : ` at '${path}'`
  return badField(`Invalid JSON payload received. Unknown name "${name}"${where}: Cannot find field.`, path)
}

export function invalidValue(path: string, type: string, value: unknown): GeminiError {
  return badField(`Invalid value at '${path}' (${type}), ${JSON.stringify(value)?.slice(0, 80)}`, path)
}

/** What is well formed and still not allowed: `path` is as in generation_config.image_config. */
export function badArgument(path: string, why: string): GeminiError {
  return geminiError(400, `* GenerateContentRequest.${path}: ${why}\n`)
}

export function keyError(): GeminiError {
  const message = 'API key not valid. Please pass a valid API key.'
  return geminiError(400, message, {
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'API_KEY_INVALID',
        domain: 'googleapis.com',
        metadata: { service: 'generativelanguage.googleapis.com' },
      },
      { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US', message },
    ],
  })
}
