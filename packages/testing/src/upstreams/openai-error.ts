/** What the emulator answers instead of a picture, in OpenAI's own form. */
export interface OpenAiError {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly error: {
    readonly message: string
    /** Azure leaves these two out. */
    readonly type?: string
    readonly param?: string | null
    readonly code: string | null
    readonly moderation_details?: { readonly moderation_stage: string; readonly categories: readonly string[] }
    /** Azure's content filter; its other APIs write the second. */
    readonly inner_error?: unknown
    readonly innererror?: unknown
  }
}

export function openAiError(
  status: number,
  message: string,
  rest: { type?: string; param?: string; code?: string; headers?: Record<string, string> } = {},
): OpenAiError {
  const { type = 'invalid_request_error', param = null, code = null, headers = {} } = rest
  return { status, headers, error: { message, type, param, code } }
}

export function moderationError(): OpenAiError {
  return {
    status: 400,
    error: {
      message:
        'Your request was rejected by the safety system. If you believe this is an error, contact us at help.openai.com and include the request ID req_emulated. safety_violations=[sexual].',
      type: 'image_generation_user_error',
      param: null,
      code: 'moderation_blocked',
      moderation_details: { moderation_stage: 'input', categories: ['sexual'] },
    },
  }
}
