import { pictureType } from './picture-type.ts'
import { ProviderError, type ProviderImage } from './provider.ts'
import { countField, isRecord, readJson, textField } from './untrusted.ts'

/** A PNG of 3840x2160 in base64 has at most about 33 MB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** Micro-dollars for each token of gpt-image-2, which is the same as dollars for a million of them. */
const PRICES = { textIn: 5, imageIn: 8, imageOut: 30 }

/**
 * The picture in an answer of 200. Whatever is wrong with it is `unknown`: the upstream thinks that it delivered, so
 * it may have been paid.
 */
export async function readOpenAiImage(response: Response, model: string): Promise<ProviderImage> {
  const upstreamId = response.headers.get('x-request-id') ?? undefined
  const useless = (why: string, cause?: unknown): ProviderError =>
    new ProviderError('unknown', `OpenAI answered 200, but ${why}`, { status: response.status, upstreamId, cause })
  let body: unknown
  try {
    body = await readJson(response, MAX_ANSWER_BYTES)
  } catch (cause) {
    throw useless('the answer is cut off, too long or not JSON', cause)
  }
  const data = isRecord(body) && Array.isArray(body.data) ? body.data : []
  const base64 = textField(data[0], 'b64_json')
  if (!base64) {
    throw useless('there is no picture in it')
  }
  const bytes = Buffer.from(base64, 'base64')
  if (pictureType(bytes) === undefined) {
    throw useless('what should be a picture is none')
  }
  return { bytes, ...(upstreamId !== undefined && { upstreamId }), ...readUsage(body, model) }
}

function readUsage(body: unknown, model: string): Pick<ProviderImage, 'usage' | 'costMicroUsd'> {
  const usage = isRecord(body) ? body.usage : undefined
  if (!isRecord(usage)) {
    return {}
  }
  const details = usage.input_tokens_details
  const imageIn = countField(details, 'image_tokens')
  const textIn = isRecord(details) ? countField(details, 'text_tokens') : countField(usage, 'input_tokens')
  const imageOut = countField(usage, 'output_tokens')
  const tokens = {
    input_tokens: countField(usage, 'input_tokens'),
    text_tokens: textIn,
    image_tokens: imageIn,
    output_tokens: imageOut,
  }
  const cost = Math.round(textIn * PRICES.textIn + imageIn * PRICES.imageIn + imageOut * PRICES.imageOut)
  const isPriced = model === 'gpt-image-2' || model.startsWith('gpt-image-2-')
  return { usage: tokens, ...(isPriced && { costMicroUsd: cost }) }
}
