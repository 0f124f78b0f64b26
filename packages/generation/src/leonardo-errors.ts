import { type FailureClass, ProviderError } from './provider.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { isRecord, shorten, textField } from './untrusted.ts'
import type { UpstreamAnswer } from './upstream-call.ts'

/** Refused for what they are, so that nothing can have been ordered. */
const MISTAKE_STATUSES = new Set([400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431])
const CREDENTIAL_STATUSES = new Set([401, 402, 407])
/** Statuses under which content is refused; Leonardo's codes say little, so the words decide. */
const WORDED_STATUSES = new Set([400, 403, 422])

const MODERATION = /\bmoderat(?:ed|ion)\b|\binappropriate\b|\bcontent (?:filter|policy)\b|\bprohibited content\b/i
const MONEY =
  /\b(?:not enough|insufficient|out of|no remaining|no more)\b.{0,40}\b(?:tokens?|credits?|balance|funds|quota)\b|\bbilling\b|\bsubscription\b|\bpayment\b/i

/** So many characters are enough to know a prompt by. */
const PROMPT_START = 20

/** What is answered to a key that is no UUID with status 500, and to an unknown one with 401. */
export function isAboutKey(words: string): boolean {
  return /\bauth(?:orization|entication) hook\b/i.test(words)
}

/**
 * The class of an answer to an order that is not 2xx. After an answer of 500 and more a paid job may exist, so it is
 * `unknown`; every other status says that there is none.
 */
export function classifyLeonardoRefusal(
  answer: UpstreamAnswer,
  { apiKey, prompt, nowMs = Date.now() }: { apiKey: string; prompt: string; nowMs?: number },
): ProviderError {
  const { status, headers } = answer
  const words = withoutPrompt(readWords(answer), prompt)
  const failure = classify(status, words)
  const head = `Leonardo answered ${status}`
  return new ProviderError(failure, describe(head, failure === 'moderation' ? '' : shorten(words, apiKey, 160)), {
    status,
    upstreamId: headers.get('x-request-id')?.slice(0, 100),
    reason: failure === 'moderation' ? readReason(words) : undefined,
    retryAfterMs: mayWait(failure) ? readRetryAfterMs(headers, words, nowMs) : undefined,
  })
}

/** A refusal may repeat the prompt, which belongs into no message and must not be taken for Leonardo's own words. */
function withoutPrompt(words: string, prompt: string): string {
  if (prompt.length < 4) {
    return words
  }
  const bare = words.replaceAll(prompt, '[prompt]')
  // It may also be cut short, and then everything behind its beginning goes.
  const at = prompt.length > PROMPT_START ? bare.indexOf(prompt.slice(0, PROMPT_START)) : -1
  return at < 0 ? bare : `${bare.slice(0, at)}[prompt]`
}

/** The class of an order's answer whose status is known and whose text is cut off. */
export function classifyCutOff(status: number): FailureClass {
  if (status === 403 || CREDENTIAL_STATUSES.has(status)) {
    return 'credentials'
  }
  // Nothing final without the words.
  return MISTAKE_STATUSES.has(status) ? 'transient' : classify(status, '')
}

function classify(status: number, words: string): FailureClass {
  if (CREDENTIAL_STATUSES.has(status) || isAboutKey(words)) {
    return 'credentials'
  }
  if (WORDED_STATUSES.has(status)) {
    return classifyWords(status, words)
  }
  if (status === 429) {
    return 'throttled'
  }
  if (MISTAKE_STATUSES.has(status)) {
    return 'mistake'
  }
  return status >= 300 && status < 500 && status !== 408 ? 'transient' : 'unknown'
}

function classifyWords(status: number, words: string): FailureClass {
  if (MODERATION.test(words)) {
    return 'moderation'
  }
  return status === 403 || MONEY.test(words) ? 'credentials' : 'mistake'
}

/** A category that Leonardo names, such as NSFW, as clients are told of it. */
export function toReason(category: string): string | undefined {
  const name = category.trim().toLowerCase()
  return name.length <= 40 && /^[a-z][a-z0-9_-]*(?: [a-z0-9_-]+){0,2}$/.test(name) ? name : undefined
}

function readReason(words: string): string | undefined {
  return toReason(/\bmoderation filter:([^.,;:]{1,60})/i.exec(words)?.[1] ?? '')
}

/** What an answer says in words: Leonardo's own form, a list of errors, or plain text; never a web page. */
export function readWords({ json, text }: UpstreamAnswer): string {
  if (json === undefined) {
    return text.trimStart().startsWith('<') ? '' : text.slice(0, 1000)
  }
  const errors = isRecord(json) ? json.errors : json
  const known = Array.isArray(errors) ? errors.slice(0, 5) : [json]
  return known.map(readMessage).filter(Boolean).join('; ').slice(0, 4000)
}

function readMessage(fault: unknown): string {
  const message = textField(fault, 'error') ?? textField(fault, 'message')
  if (message !== undefined) {
    return message
  }
  return isRecord(fault) && isRecord(fault.error) ? (textField(fault.error, 'message') ?? '') : ''
}

function describe(head: string, words: string): string {
  return words === '' ? head : `${head}: ${words}`
}

function mayWait(failure: FailureClass): boolean {
  return failure !== 'moderation' && failure !== 'mistake'
}
