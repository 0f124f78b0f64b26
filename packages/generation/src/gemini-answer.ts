import { pictureType } from './picture-type.ts'
import { ProviderError, type ProviderErrorOptions, type ProviderImage } from './provider.ts'
import { countField, isRecord, textField } from './untrusted.ts'
import type { UpstreamAnswer } from './upstream-call.ts'

/** Why a candidate has no picture when its content was refused. */
const REFUSALS: ReadonlySet<string> = new Set([
  'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT',
  'IMAGE_RECITATION',
  'PROHIBITED_CONTENT',
  'SAFETY',
  'RECITATION',
  'BLOCKLIST',
  'SPII',
  'LANGUAGE',
])

/** Why a candidate has no picture although nobody refused it. */
const NO_PICTURE: ReadonlySet<string> = new Set(['STOP', 'NO_IMAGE', 'IMAGE_OTHER', 'OTHER', 'MAX_TOKENS'])

/**
 * Micro-dollars for each token of a picture that was made: .0672 for the 1120 tokens of 1K, which is the price that was
 * seen (providers.md §5). What goes in has no known price and is not counted, so the true cost is a little higher.
 */
const PRICES_OUT: ReadonlyMap<string, number> = new Map([
  ['gemini-3.1-flash-image', 60],
  ['gemini-3.1-flash-image-preview', 60],
])

/** The picture in an answer of 2xx, or the refusal that it is: Gemini refuses with 200 too. */
export function readGeminiImage(answer: UpstreamAnswer, model: string): ProviderImage {
  const body = answer.json
  const upstreamId = textField(body, 'responseId') ?? textField(body, 'response_id')
  const about: ProviderErrorOptions = { status: answer.status, upstreamId }
  const candidates = list(body, 'candidates')
  const parts = candidates.flatMap((candidate) => list(isRecord(candidate) ? candidate.content : undefined, 'parts'))
  // Thoughts hold drafts, which come first and are no result.
  const pictures = parts.filter((part) => !isThought(part)).flatMap((part) => inlineData(part) ?? [])
  if (pictures.length === 0) {
    throw noPicture({ body, candidate: candidates[0], parts }, about)
  }
  const bytes = Buffer.from(pictures.find((base64) => base64 !== '') ?? '', 'base64')
  if (pictureType(bytes) === undefined) {
    throw new ProviderError('unknown', `Gemini answered ${answer.status}, but what should be a picture is none`, about)
  }
  return { bytes, ...(upstreamId !== undefined && { upstreamId }), ...readUsage(body, model) }
}

function noPicture(
  { body, candidate, parts }: { body: unknown; candidate: unknown; parts: readonly unknown[] },
  about: ProviderErrorOptions,
): ProviderError {
  const blocked = textField(isRecord(body) ? body.promptFeedback : undefined, 'blockReason')
  if (blocked && blocked !== 'BLOCK_REASON_UNSPECIFIED') {
    const reason = toReason(blocked)
    return new ProviderError('moderation', `Gemini refused the prompt: ${reason ?? 'no reason'}`, { ...about, reason })
  }
  const finish = textField(candidate, 'finishReason')
  if (finish !== undefined && REFUSALS.has(finish)) {
    const reason = toReason(finish)
    return new ProviderError('moderation', `Gemini refused the picture: ${reason}`, { ...about, reason })
  }
  if (finish !== undefined && NO_PICTURE.has(finish)) {
    return new ProviderError('no_picture', `Gemini gave no picture: ${toReason(finish)}`, about)
  }
  if (parts.some((part) => textField(part, 'text') !== undefined)) {
    return new ProviderError('no_picture', 'Gemini gave a text and no picture', about)
  }
  const why = isRecord(body) ? 'there is no picture in it' : 'the answer is cut off or not JSON'
  return new ProviderError('unknown', `Gemini answered ${about.status}, but ${why}`, about)
}

/** A word such as IMAGE_SAFETY, as clients see it. */
function toReason(word: string): string | undefined {
  const small = word.toLowerCase()
  return /^[a-z][a-z0-9 _-]{0,39}$/.test(small) ? small : undefined
}

function isThought(part: unknown): boolean {
  return isRecord(part) && part.thought === true
}

/** The base64 of a part that is a file: empty when it is none, undefined for any other part. */
function inlineData(part: unknown): string | undefined {
  const inline = isRecord(part) ? (part.inlineData ?? part.inline_data) : undefined
  return isRecord(inline) ? (textField(inline, 'data') ?? '') : undefined
}

function readUsage(body: unknown, model: string): Pick<ProviderImage, 'usage' | 'costMicroUsd'> {
  const counts = isRecord(body) ? body.usageMetadata : undefined
  if (!isRecord(counts)) {
    return {}
  }
  const usage = {
    promptTokenCount: countField(counts, 'promptTokenCount'),
    candidatesTokenCount: countField(counts, 'candidatesTokenCount'),
    thoughtsTokenCount: countField(counts, 'thoughtsTokenCount'),
    totalTokenCount: countField(counts, 'totalTokenCount'),
  }
  const details = list(counts, 'candidatesTokensDetails')
  const imageTokens = details
    .filter((detail) => textField(detail, 'modality') === 'IMAGE')
    .reduce((sum: number, detail) => sum + countField(detail, 'tokenCount'), 0)
  const price = PRICES_OUT.get(model)
  const paidTokens = details.length > 0 ? imageTokens : usage.candidatesTokenCount
  const isPriced = price !== undefined && paidTokens > 0
  return { usage, ...(isPriced && { costMicroUsd: Math.round(paidTokens * price) }) }
}

function list(value: unknown, field: string): readonly unknown[] {
  const found = isRecord(value) ? value[field] : undefined
  return Array.isArray(found) ? found : []
}
