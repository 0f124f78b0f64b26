import { type IdeogramError, problem, safetyError } from './ideogram-error.ts'

const busy = (detail: string, headers: Record<string, string> = {}): IdeogramError =>
  problem(429, 'Too Many Requests', detail, headers)

/** Error answers that can be switched on by name. */
export const IDEOGRAM_ERRORS = {
  moderation: safetyError(),
  moderation_empty: { status: 422, error: Buffer.alloc(0) },
  validation: {
    status: 422,
    error: { detail: [{ loc: ['body', 'resolution'], msg: 'field required', type: 'value_error.missing' }] },
  },
  invalid: problem(400, 'Bad Request', "'1792x1008' is not one of ['512x1536'] - 'resolution'"),
  unsupported_media_type: problem(415, 'Unsupported Media Type', 'Invalid Content-type, expected multipart/form-data'),
  unauthorized: problem(401, 'Unauthorized', 'Provided authorization is not valid'),
  payment_required: problem(402, 'Payment Required', 'Insufficient credits'),
  forbidden: problem(403, 'Forbidden', 'Not authorized'),
  not_found: problem(404, 'Not Found', 'Nothing matches the given URI'),
  rate_limit: busy('Too many requests'),
  rate_limit_ms: busy('Too many requests', { 'retry-after-ms': '12000' }),
  rate_limit_seconds: busy('Too many requests', { 'retry-after': '46' }),
  rate_limit_date: busy('Too many requests', {
    'retry-after': 'Sun, 22 Nov 2026 10:01:30 GMT',
    date: 'Sun, 22 Nov 2026 10:00:00 GMT',
  }),
  rate_limit_words: busy('Too many requests. Please try again in 1m30s.'),
  request_timeout: problem(408, 'Request Timeout', 'The request took too long'),
  server_error: problem(500, 'Internal Server Error', 'The server encountered an internal error'),
  overloaded: problem(503, 'Service Unavailable', 'The server is temporarily overloaded', { 'retry-after': '3' }),
} as const satisfies Readonly<Record<string, IdeogramError>>

/** Faults of the line, answers of 200 that are none, and links that lead nowhere. */
export const IDEOGRAM_BROKEN = [
  'bad_gateway_html',
  'html',
  'empty',
  'empty_object',
  'no_picture',
  'no_link',
  'unsafe_null',
  'unsafe_empty',
  'dead_link',
  'expired_link',
  'cut_off',
  'bad_json',
  'reset_before_reading',
  'reset_after_reading',
  'hang',
  'hang_in_body',
  'not_a_picture',
  'corrupt_picture',
  'jpeg',
] as const

export type IdeogramErrorFault = keyof typeof IDEOGRAM_ERRORS
export type IdeogramBrokenFault = (typeof IDEOGRAM_BROKEN)[number]

/**
 * A fault by name, any answer of one's own, or any link instead of the true one. It befalls orders and the pictures
 * behind the links alike: choose with the `path` of `setFault`, IDEOGRAM_ORDERS or IDEOGRAM_LINKS.
 */
export type IdeogramFault = IdeogramErrorFault | IdeogramBrokenFault | IdeogramError | { readonly link: string }

export const IDEOGRAM_ORDERS = '/v1/ideogram-v3/'
export const IDEOGRAM_LINKS = '/api/images/ephemeral/'

export function isIdeogramError(fault: string): fault is IdeogramErrorFault {
  return Object.hasOwn(IDEOGRAM_ERRORS, fault)
}
