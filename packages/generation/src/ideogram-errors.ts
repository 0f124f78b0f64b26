import { type FailureClass, ProviderError } from './provider.ts'
import { readRetryAfterMs } from './retry-after.ts'
import { isRecord, shorten, textField } from './untrusted.ts'
import type { UpstreamAnswer } from './upstream-call.ts'

const CREDENTIAL_STATUSES = new Set([401, 402, 403, 407])
const MISTAKE_STATUSES = new Set([400, 404, 405, 406, 410, 411, 413, 414, 415, 431])

/**
 * The class of an answer that is none of 2xx, by its status: only the body of 422 is documented, and the others have
 * been "any type". What is none of the known final statuses is never final.
 */
export function classifyIdeogramError(
  answer: UpstreamAnswer,
  { apiKey, prompt = '', nowMs = Date.now() }: { apiKey: string; prompt?: string; nowMs?: number },
): ProviderError {
  const words = readWords(answer)
  const failure = classify(answer, words)
  const shown = shorten(withoutPrompt(words, prompt), apiKey, 160)
  return new ProviderError(failure, `Ideogram answered ${answer.status}${shown === '' ? '' : `: ${shown}`}`, {
    status: answer.status,
    retryAfterMs: mayWait(failure) ? readRetryAfterMs(answer.headers, words, nowMs) : undefined,
  })
}

function classify({ status, text }: UpstreamAnswer, words: string): FailureClass {
  if (CREDENTIAL_STATUSES.has(status)) {
    return 'credentials'
  }
  if (status === 429) {
    return 'throttled'
  }
  if (status === 422) {
    // Documented as a failed safety check and nothing else, so an empty one is that too; a web framework's complaint
    // of a field is not, and the client must not be told that the content was to blame.
    return text.trim() === '' || isAboutSafety(words) ? 'moderation' : 'mistake'
  }
  return MISTAKE_STATUSES.has(status) ? 'mistake' : 'transient'
}

function isAboutSafety(words: string): boolean {
  return /\bsafety\b|\bunsafe\b|\bprohibited\b|moderat|inappropriate|content policy|\bnsfw\b/i.test(words)
}

function mayWait(failure: FailureClass): boolean {
  return failure === 'throttled' || failure === 'transient' || failure === 'credentials'
}

/** What is said in words: in the documented body, in the stock form of connexion, or outside of JSON. */
function readWords({ json, text }: UpstreamAnswer): string {
  const told =
    textField(json, 'error') ??
    (isRecord(json) ? textField(json.error, 'message') : undefined) ??
    textField(json, 'detail') ??
    textField(json, 'message') ??
    textField(json, 'title') ??
    (typeof json === 'string' ? json : undefined)
  if (told !== undefined) {
    return told
  }
  // A page of HTML says nothing that the status does not.
  return json === undefined ? text.replace(/^\s*<.*/s, '') : JSON.stringify(json)
}

/** How much of a prompt has to be there to be taken for it, and how much of a short one. */
const NEEDLE_LENGTH = 24
const SHORTEST_NEEDLE = 4

/** Checks of fields like to repeat what they were given, and often not to its end: so all behind its beginning goes. */
function withoutPrompt(words: string, prompt: string): string {
  const flat = words.replace(/(\s|\\[nrt])+/g, ' ').replace(/\\(["'\\])/g, '$1')
  const needle = prompt.replace(/\s+/g, ' ').trim().slice(0, NEEDLE_LENGTH)
  const at = needle.length < SHORTEST_NEEDLE ? -1 : flat.indexOf(needle)
  return at < 0 ? flat : `${flat.slice(0, at)}[prompt]`
}
