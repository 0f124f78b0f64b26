import { AZURE_ERRORS } from './openai-azure.ts'
import { moderationError, type OpenAiError, openAiError } from './openai-error.ts'

const quota = (code: string): OpenAiError =>
  openAiError(429, 'You exceeded your current quota, please check your plan and billing details.', {
    type: 'insufficient_quota',
    code,
  })

const RATE_LIMIT_MESSAGE =
  'Rate limit reached for gpt-image-2 (for limit gpt-image) in organization org-emulated on input-images per min: Limit 5, Used 5, Requested 1. Please try again in 12s.'

const rateLimit = (headers: Record<string, string>, message = RATE_LIMIT_MESSAGE): OpenAiError =>
  openAiError(429, message, { type: 'input-images', code: 'rate_limit_exceeded', headers })

/** Error answers that can be switched on by name. */
export const ERROR_FAULTS = {
  ...AZURE_ERRORS,
  moderation: moderationError(),
  invalid_value: openAiError(
    400,
    "Invalid size '512x512'. Requested resolution is below the current minimum pixel budget.",
    {
      param: 'size',
      code: 'invalid_value',
    },
  ),
  model_not_found: openAiError(404, "The model 'gpt-image-2' does not exist or you do not have access to it.", {
    code: 'model_not_found',
  }),
  unprocessable: openAiError(422, 'The request could not be processed.'),
  invalid_image: openAiError(400, 'Invalid image file or mode for image 1, please check your image file.', {
    code: 'invalid_image_file',
    param: 'image',
  }),
  invalid_api_key: openAiError(
    401,
    'Incorrect API key provided: sk-wrong***********key. You can find your API key at https://platform.openai.com/account/api-keys.',
    {
      code: 'invalid_api_key',
    },
  ),
  unverified: openAiError(403, 'Your organization must be verified to use the model `gpt-image-2`.'),
  insufficient_quota: quota('insufficient_quota'),
  credit_balance_exhausted: quota('credit_balance_exhausted'),
  organization_spend_limit_exceeded: quota('organization_spend_limit_exceeded'),
  project_spend_limit_exceeded: quota('project_spend_limit_exceeded'),
  organization_usage_limit_exceeded: quota('organization_usage_limit_exceeded'),
  billing_hard_limit_reached: openAiError(400, 'Billing hard limit has been reached.', {
    type: 'billing_limit_user_error',
    code: 'billing_hard_limit_reached',
  }),
  rate_limit: rateLimit({ 'retry-after-ms': '12000', 'retry-after': '12' }),
  rate_limit_seconds: rateLimit({ 'retry-after': '46' }, 'Rate limit reached.'),
  rate_limit_date: rateLimit(
    { 'retry-after': 'Sun, 22 Nov 2026 10:01:30 GMT', date: 'Sun, 22 Nov 2026 10:00:00 GMT' },
    'Rate limit reached.',
  ),
  rate_limit_words: rateLimit({}),
  slow_down: openAiError(429, 'Slow down: your request rate grew too fast.', { type: 'requests', code: 'slow_down' }),
  slow_down_503: openAiError(503, 'Slow down.', { type: 'server_error', code: 'slow_down' }),
  request_timeout: openAiError(408, 'Request timed out.', { type: 'timeout' }),
  conflict: openAiError(409, 'Conflict.'),
  server_error: openAiError(500, 'The server had an error while processing your request. Sorry about that!', {
    type: 'server_error',
  }),
  overloaded: openAiError(503, 'The engine is currently overloaded, please try again later.', {
    type: 'server_error',
    headers: { 'retry-after': '3' },
  }),
} as const satisfies Readonly<Record<string, OpenAiError>>

/** Faults of the line, and answers of 200 that are none. */
export const BROKEN_FAULTS = [
  'bad_gateway_html',
  'html',
  'empty',
  'empty_object',
  'no_picture',
  'cut_off',
  'bad_json',
  'reset_before_reading',
  'reset_after_reading',
  'hang',
  'hang_in_body',
  'not_a_picture',
  'corrupt_picture',
  'wrong_size',
  'refusal',
  'incomplete',
  'too_long',
] as const

export type ErrorFault = keyof typeof ERROR_FAULTS
export type BrokenFault = (typeof BROKEN_FAULTS)[number]

/** A fault by name, or any answer of one's own. */
export type OpenAiFault = ErrorFault | BrokenFault | OpenAiError

export function isErrorFault(fault: string): fault is ErrorFault {
  return Object.hasOwn(ERROR_FAULTS, fault)
}
