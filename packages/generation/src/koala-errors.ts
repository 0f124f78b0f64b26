import { type FailureClass, ProviderError } from './provider.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { hidePrompt, shorten, textField } from './untrusted.ts'
import type { UpstreamAnswer } from './upstream-call.ts'

/** 402: the account has no credits left. 403: it lacks the plan, or was disabled. */
const CREDENTIAL_STATUSES = new Set([401, 402, 403, 407])
const MISTAKE_STATUSES = new Set([400, 404, 405, 406, 411, 413, 414, 415, 422, 431])

/**
 * The class of an order that was refused. The API promises that whatever is not a success was not charged, but a proxy in
 * front of it, whose 502 or 504 has no words of the API's, may have lost a success. What is none of the known final
 * statuses is tried again.
 */
export function classifyKoalaRefusal(
  { status, headers, json }: UpstreamAnswer,
  context: { readonly vendor: string; readonly apiKey: string; readonly prompt: string },
): ProviderError {
  const { vendor, apiKey, prompt } = context
  const isItsOwn = textField(json, 'code') !== undefined || textField(json, 'error') !== undefined
  const failure = status >= 500 && !isItsOwn ? 'unknown' : classify(status, textField(json, 'code'))
  const message = textField(json, 'message') ?? textField(json, 'error') ?? ''
  const why = message === '' ? '' : `: ${shorten(hidePrompt(message, prompt), apiKey, 160)}`
  const mayWait = failure === 'throttled' || failure === 'transient' || failure === 'credentials'
  return new ProviderError(failure, `${vendor} answered ${status}${why}`, {
    status,
    upstreamId: headers.get('x-request-id')?.slice(0, 100),
    retryAfterMs: mayWait ? readRetryAfterMs(headers, message, Date.now()) : undefined,
  })
}

function classify(status: number, code: string | undefined): FailureClass {
  if (status === 429) {
    return 'throttled'
  }
  if (CREDENTIAL_STATUSES.has(status)) {
    return 'credentials'
  }
  if (status === 422 && code === 'moderation_refused') {
    return 'moderation'
  }
  if (status === 422 && code === 'bad_reference') {
    return 'bad_reference'
  }
  return MISTAKE_STATUSES.has(status) ? 'mistake' : 'transient'
}
