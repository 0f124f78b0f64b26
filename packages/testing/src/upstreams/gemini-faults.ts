import { type GeminiError, geminiError, keyError } from './gemini-error.ts'

const QUOTA_MESSAGE =
  'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.'

function quota(options: {
  quotaIds?: readonly string[]
  retryDelay?: unknown
  words?: string
  headers?: Record<string, string>
}): GeminiError {
  const { quotaIds = ['GenerateRequestsPerMinutePerProjectPerModel'], retryDelay, words = '', headers = {} } = options
  const violations = quotaIds.map((quotaId) => ({
    quotaMetric: 'generativelanguage.googleapis.com/generate_content_paid_tier_requests',
    quotaId,
    quotaDimensions: { location: 'global', model: 'gemini-3.1-flash-image' },
    quotaValue: '20',
  }))
  return geminiError(429, `${QUOTA_MESSAGE}${words}`, {
    headers,
    details: [
      { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations },
      ...(retryDelay === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }]),
    ],
  })
}

const PER_DAY = ['GenerateRequestsPerMinutePerProjectPerModel', 'GenerateRequestsPerDayPerProjectPerModel']

const precondition = (message: string): GeminiError => geminiError(400, message, { word: 'FAILED_PRECONDITION' })

/** Error answers that can be switched on by name. */
export const GEMINI_ERROR_FAULTS = {
  rate_limit: quota({ retryDelay: '46s', words: '\nPlease retry in 46.894320181s.' }),
  rate_limit_fraction: quota({ retryDelay: '0.5s' }),
  rate_limit_object: quota({ retryDelay: { seconds: '30', nanos: 500_000_000 } }),
  rate_limit_header: quota({ headers: { 'retry-after': '7' } }),
  rate_limit_words: quota({ words: '\nPlease retry in 12.5s.' }),
  rate_limit_bare: geminiError(429, 'Resource has been exhausted (e.g. check quota).'),
  per_day: quota({ quotaIds: PER_DAY, retryDelay: '35637s' }),
  per_day_short: quota({ quotaIds: PER_DAY, retryDelay: '17s' }),
  credits_depleted: geminiError(
    429,
    'Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.',
  ),
  api_key_invalid: keyError(),
  api_key_expired: geminiError(400, 'API key expired. Please renew the API key.'),
  unauthenticated: geminiError(401, 'Request had invalid authentication credentials.'),
  permission_denied: geminiError(403, 'Your API key was reported as leaked. Please use another API key.'),
  billing: precondition(
    'Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.',
  ),
  location: precondition('User location is not supported for the API use.'),
  precondition: precondition('The model is not ready.'),
  invalid_argument: geminiError(400, 'Request contains an invalid argument.'),
  input_image: geminiError(
    400,
    'Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
  ),
  image_not_valid: geminiError(400, 'Provided image is not valid.'),
  not_found: geminiError(
    404,
    'models/gemini-3.1-flash-image is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.',
  ),
  internal: geminiError(500, 'An internal error has occurred. Please retry or report in https://x.'),
  unavailable: geminiError(503, 'The model is overloaded. Please try again later.'),
  deadline: geminiError(504, 'Deadline expired before operation could complete.'),
} as const satisfies Readonly<Record<string, GeminiError>>

/** Faults of the line, and answers of 200 that are none or have another form. */
export const GEMINI_BROKEN_FAULTS = [
  'bad_gateway_html',
  'not_found_html',
  'html',
  'empty',
  'empty_object',
  'empty_candidates',
  'empty_data',
  'cut_off',
  'bad_json',
  'reset_before_reading',
  'reset_after_reading',
  'hang',
  'hang_in_body',
  'not_a_picture',
  'corrupt_picture',
  'wrong_size',
  'draft_only',
  'snake_case',
] as const

export type GeminiErrorFault = keyof typeof GEMINI_ERROR_FAULTS
export type GeminiBrokenFault = (typeof GEMINI_BROKEN_FAULTS)[number]

/** A refusal with 200: of the prompt, or of the picture, of which the third is what stands in its place. */
export type GeminiRefusal =
  | { readonly blockReason: string }
  | { readonly finishReason: string; readonly content: 'empty' | 'null' | 'text' }

/** A fault by name, a refusal, or any error of one's own. */
export type GeminiFault = GeminiErrorFault | GeminiBrokenFault | GeminiRefusal | GeminiError

export function isGeminiErrorFault(fault: string): fault is GeminiErrorFault {
  return Object.hasOwn(GEMINI_ERROR_FAULTS, fault)
}
