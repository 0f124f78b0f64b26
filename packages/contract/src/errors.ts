/** Every code that a client can meet, with its status. */
export const ERROR_STATUS = {
  /** A field of the request is missing, malformed or contradicts another. */
  invalid_request: 400,
  /** The body is not JSON. */
  invalid_json: 400,
  /** The model exists but this server has no provider for it. */
  model_unavailable: 400,
  /** The API key is missing, unknown, expired or revoked. */
  unauthorized: 401,
  /** The account has fewer credits than the request costs; never means anything but credits. */
  insufficient_credits: 402,
  /** The model or quality needs a higher plan, which buying credits does not change. */
  plan_required: 403,
  /** The account was disabled by the operator. */
  account_disabled: 403,
  /** The key may not be used from the client's address. */
  address_not_allowed: 403,
  /** The key may not ask for this model, quality or size. */
  key_not_allowed: 403,
  /** The price goes beyond what the key may spend in a day or a month, whatever the account has. */
  budget_exceeded: 403,
  /** There is no such image or address. */
  not_found: 404,
  /** The address exists but not for this method. */
  method_not_allowed: 405,
  /** The request did not arrive in time. */
  request_timeout: 408,
  /** The idempotency key was used with another body. */
  idempotency_conflict: 409,
  /** It can't be done as things stand: the details say why. */
  conflict: 409,
  /** The image is being made right now, so it can't be cancelled any more. */
  image_in_progress: 409,
  /** The image is done, whatever became of it: there is nothing to cancel. */
  image_finished: 409,
  /** Every way to make the image was tried and failed, and its credits were given back. */
  generation_failed: 410,
  /** The image was not made before its deadline, and its credits were given back. */
  generation_deadline: 410,
  /** The image was cancelled before it was made, and its credits were given back. */
  image_cancelled: 410,
  /** The image was erased on request. */
  image_erased: 410,
  /** The image is past its retention. */
  image_expired: 410,
  /** The body is larger than the limit. */
  payload_too_large: 413,
  /** The address is longer than the limit. */
  uri_too_long: 414,
  /** The body is of a type other than JSON, or in an unknown encoding. */
  unsupported_media_type: 415,
  /** No byte of the image lies in the range asked for. */
  range_not_satisfiable: 416,
  /** The prompt or a reference image was refused for its content, and the credits were given back. */
  moderation_refused: 422,
  /** A reference image could not be fetched or used, and the credits were given back. */
  bad_reference: 422,
  /** Too many requests in the scope that the details name. */
  rate_limited: 429,
  /** The headers are larger than the limit. */
  headers_too_large: 431,
  /** A fault of ours; nothing was charged. */
  internal_error: 500,
  /** The server has more work or more waiters than it can take. */
  overloaded: 503,
  /** The server is about to stop, and another or the next one will answer. */
  shutting_down: 503,
  /** The image is not ready yet and the server does not hold the request any longer. */
  image_pending: 503,
} as const

export type ErrorCode = keyof typeof ERROR_STATUS

/** Facts for programs. It ends up in the body, where no key may be called `url`: clients grep answers for that text. */
export type ErrorDetails = Record<string, unknown>

export interface ApiErrorOptions extends ErrorOptions {
  readonly details?: ErrorDetails | undefined
  readonly headers?: Record<string, string> | undefined
  readonly retryAfterSeconds?: number | undefined
}

/** An answer that the caller must see. The message is one sentence for a person and says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ErrorCode
  readonly status: number
  readonly details?: ErrorDetails
  /** Beyond what every error gets, such as Allow for a 405. */
  readonly headers?: Record<string, string>
  readonly retryAfterSeconds?: number

  constructor(code: ErrorCode, message: string, options: ApiErrorOptions = {}) {
    const { details, headers, retryAfterSeconds, ...rest } = options
    super(message, rest)
    this.code = code
    this.status = ERROR_STATUS[code]
    if (details !== undefined) {
      this.details = details
    }
    if (headers !== undefined) {
      this.headers = headers
    }
    if (retryAfterSeconds !== undefined) {
      this.retryAfterSeconds = retryAfterSeconds
    }
  }
}

export interface ErrorBody {
  /** The message once more: what the vendor's clients show. */
  error: string
  message: string
  code: ErrorCode
  requestId: string
  details?: ErrorDetails
  /** Of an image that failed for good: its credits are back. The same as in `details`. */
  refunded?: true
}

/** The JSON body of every status from 400 on. */
export function errorBody(
  error: { readonly code: ErrorCode; readonly message: string; readonly details?: ErrorDetails | undefined },
  requestId: string,
): ErrorBody {
  const { code, message, details } = error
  return {
    error: message,
    message,
    code,
    requestId,
    ...(details && { details }),
    ...(details?.refunded === true && { refunded: true }),
  }
}
