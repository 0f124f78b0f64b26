import { accessError, hookError, type LeonardoError, leonardoError, moderationError } from './leonardo-error.ts'

/** Error answers that can be switched on by name, for orders, polls and links. */
export const ERROR_FAULTS = {
  moderation: moderationError(),
  inappropriate: leonardoError(403, 'Your prompt appears to contain inappropriate content. Please rephrase it.'),
  moderation_400: leonardoError(400, 'content moderation filter: violence', { code: 'bad-request' }),
  access_denied: accessError(),
  authorization_hook: hookError(),
  forbidden: leonardoError(403, 'This model is not supported within the Production API'),
  payment_required: leonardoError(402, 'Payment required.'),
  no_tokens: leonardoError(400, 'not enough api tokens', { code: 'bad-request' }),
  invalid_dimensions: leonardoError(400, 'invalid dimensions', { code: 'bad-request' }),
  unexpected_variable: leonardoError(400, 'Unexpected variable modelName', { code: 'bad-request' }),
  expected_boolean: leonardoError(400, 'expected a boolean for public', { code: 'validation-failed' }),
  not_found: leonardoError(404, 'resource does not exist', { code: 'not-found' }),
  rate_limit: leonardoError(429, 'Too many requests.', { headers: { 'retry-after': '7' } }),
  rate_limit_silent: leonardoError(429, 'Too many requests.'),
  server_error: leonardoError(500, 'internal error'),
  unavailable: leonardoError(503, 'service unavailable', { headers: { 'retry-after': '1' } }),
} as const satisfies Readonly<Record<string, LeonardoError>>

/** Faults of the line, and answers that are not what they should be. The job of an order is there all the same. */
export const BROKEN_FAULTS = [
  'bad_gateway_html',
  'html',
  'empty',
  'empty_object',
  'cut_off',
  'bad_json',
  'reset_before_reading',
  'reset_after_reading',
  'hang',
  'hang_in_body',
  'redirect',
  'error_500_cut_off',
  'error_401_cut_off',
  'error_429_cut_off',
  'error_400_cut_off',
  // For links only.
  'not_a_picture',
  'corrupt_picture',
] as const

/** Answers with something wrong in them: the first two for orders, the others for polls. */
export const BENT_FAULTS = [
  'no_id',
  'odd_id',
  'failed',
  'failed_for_content',
  'missing',
  'odd_status',
  'no_images',
  'nsfw',
] as const

export type ErrorFault = keyof typeof ERROR_FAULTS
export type BrokenFault = (typeof BROKEN_FAULTS)[number]
export type BentFault = (typeof BENT_FAULTS)[number]

/** A fault by name, or any error of one's own. */
export type LeonardoFault = ErrorFault | BrokenFault | BentFault | LeonardoError

export function isErrorFault(fault: string): fault is ErrorFault {
  return Object.hasOwn(ERROR_FAULTS, fault)
}

export function isBentFault(fault: string): fault is BentFault {
  return BENT_FAULTS.some((name) => name === fault)
}
