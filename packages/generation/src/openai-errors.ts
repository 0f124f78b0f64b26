import { toNetworkFailure } from './network-failure.ts'
import { type FailureClass, ProviderError } from './provider.ts'
import { toReason } from './refusal-reason.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { hidePrompt, isRecord, shorten, textField } from './untrusted.ts'

/** What an upstream that answered with an error said. */
interface Refusal {
  readonly status: number
  readonly headers: Headers
  readonly code: string | undefined
  readonly type: string | undefined
  readonly message: string
  readonly moderation: unknown
  /** What Azure's content filter says of each category. */
  readonly filter: unknown
  readonly innerCode: string | undefined
}

export interface OpenAiErrorContext {
  /** Who was asked. */
  readonly vendor: string
  /** Neither of these is ever repeated. */
  readonly apiKey: string
  readonly prompt?: string | undefined
}

const MODERATION_CODES = new Set([
  'moderation_blocked',
  'content_policy_violation',
  'content_filter',
  // Azure's.
  'contentFilter',
  'image_content_policy_violation',
])

/** What OpenAI says of a reference picture that it can't use. */
const REFERENCE_CODES = new Set([
  'invalid_image',
  'invalid_image_file',
  'invalid_image_format',
  'invalid_image_mode',
  'image_too_large',
  'image_too_small',
  'image_file_too_large',
  'image_parse_error',
  'empty_image_file',
])

const MONEY_CODES = new Set([
  'insufficient_quota',
  'credit_balance_exhausted',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  'billing_hard_limit_reached',
  'billing_not_active',
])

const CREDENTIAL_STATUSES = new Set([401, 402, 403, 407])
const MISTAKE_STATUSES = new Set([400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431])

/**
 * The class of whatever a call of the SDK threw before an answer of 200 was there. What is none of the known final
 * shapes is never final: without an answer it is `unknown`, unless it is certain that nothing was sent.
 */
export function classifyOpenAiError(error: unknown, context: OpenAiErrorContext, nowMs = Date.now()): ProviderError {
  if (error instanceof ProviderError) {
    return error
  }
  const refusal = toRefusal(error)
  if (refusal === undefined) {
    return toNetworkFailure(error, context.vendor)
  }
  const failure = classifyRefusal(refusal)
  // No `cause`: the SDK's error carries the whole answer, in which compatible servers have been seen to echo keys.
  return new ProviderError(failure, describe(refusal, context), {
    status: refusal.status,
    upstreamId: refusal.headers.get('x-request-id') ?? undefined,
    reason: failure === 'moderation' ? readReason(refusal) : undefined,
    retryAfterMs: mayWait(failure) ? readRetryAfterMs(refusal.headers, refusal.message, nowMs) : undefined,
  })
}

function classifyRefusal({ status, code, type, message, innerCode }: Refusal): FailureClass {
  if ((code !== undefined && MODERATION_CODES.has(code)) || innerCode === 'ResponsibleAIPolicyViolation') {
    return 'moderation'
  }
  if ((code !== undefined && MONEY_CODES.has(code)) || type === 'insufficient_quota') {
    return 'credentials'
  }
  if (CREDENTIAL_STATUSES.has(status) || code === 'invalid_api_key') {
    return 'credentials'
  }
  if (status === 429 || code === 'slow_down' || code === 'rate_limit_exceeded') {
    return 'throttled'
  }
  if (status === 400 && isAboutReference(code, message)) {
    return 'bad_reference'
  }
  return MISTAKE_STATUSES.has(status) ? 'mistake' : 'transient'
}

function isAboutReference(code: string | undefined, message: string): boolean {
  return code === undefined || code === 'invalid_value'
    ? /^invalid image file\b/i.test(message)
    : REFERENCE_CODES.has(code)
}

function mayWait(failure: FailureClass): boolean {
  return failure === 'throttled' || failure === 'transient' || failure === 'credentials'
}

function toRefusal(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') {
    return undefined
  }
  const body = 'error' in error ? error.error : undefined
  const inner = isRecord(body) ? (body.inner_error ?? body.innererror) : undefined
  return {
    status: error.status,
    headers: 'headers' in error && error.headers instanceof Headers ? error.headers : new Headers(),
    code: textField(body, 'code'),
    type: textField(body, 'type'),
    message: textField(body, 'message') ?? '',
    moderation: isRecord(body) ? body.moderation_details : undefined,
    filter: isRecord(inner) ? (inner.content_filter_results ?? inner.content_filter_result) : undefined,
    innerCode: textField(inner, 'code'),
  }
}

/** The first category that OpenAI names, or that Azure filtered. */
function readReason({ moderation, filter }: Refusal): string | undefined {
  if (isRecord(moderation) && Array.isArray(moderation.categories)) {
    return toReason(moderation.categories[0])
  }
  const filtered = isRecord(filter)
    ? Object.entries(filter).find(([, verdict]) => isRecord(verdict) && verdict.filtered === true)
    : undefined
  return toReason(filtered?.[0])
}

function describe({ status, code, message, moderation }: Refusal, context: OpenAiErrorContext): string {
  const { vendor, apiKey, prompt = '' } = context
  const head = `${vendor} answered ${status}${code === undefined ? '' : ` ${shorten(code, apiKey, 60)}`}`
  const stage = textField(moderation, 'moderation_stage')
  if (stage !== undefined) {
    return `${head} (${shorten(stage, apiKey, 20)})`
  }
  return message === '' ? head : `${head}: ${shorten(hidePrompt(message, prompt), apiKey, 160)}`
}
