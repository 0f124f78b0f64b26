import { pictureType } from './picture-type.ts'
import { ProviderError, type ProviderImage } from './provider.ts'
import { countField, isRecord, readJson, textField } from './untrusted.ts'

/** A PNG of 3840x2160 in base64 has at most about 33 MB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** Micro-dollars for each token of gpt-image-2, which is the same as dollars for a million of them. */
const PRICES = { textIn: 5, imageIn: 8, imageOut: 30 }

export interface OpenAiAnswer {
  /** The picture, or the link to it. */
  readonly picture: Buffer | URL
  readonly facts: Omit<ProviderImage, 'bytes'>
}

interface Context {
  readonly vendor: string
  readonly model: string
  /** Of a compatible server, whose prices nobody knows: where links begin that are not whole. */
  readonly linkBase: string | undefined
}

/**
 * The picture in an answer of 200. Whatever is wrong with it is `unknown`: the upstream thinks that it delivered, so
 * it may have been paid.
 */
export async function readOpenAiAnswer(response: Response, context: Context): Promise<OpenAiAnswer> {
  const upstreamId = response.headers.get('x-request-id') ?? undefined
  const useless = (why: string, cause?: unknown): ProviderError =>
    new ProviderError('unknown', `${context.vendor} answered ${response.status}, but ${why}`, {
      status: response.status,
      upstreamId,
      cause,
    })
  let body: unknown
  try {
    body = await readJson(response, MAX_ANSWER_BYTES)
  } catch (cause) {
    throw useless('the answer is cut off, too long or not JSON', cause)
  }
  const data = isRecord(body) && Array.isArray(body.data) ? body.data : []
  const picture = readPicture(data[0], context.linkBase)
  if (picture === undefined) {
    throw useless('there is no picture in it')
  }
  if (!(picture instanceof URL) && pictureType(picture) === undefined) {
    throw useless('what should be a picture is none')
  }
  const facts = { ...(upstreamId !== undefined && { upstreamId }), ...readUsage(body, context) }
  return { picture, facts }
}

function readPicture(item: unknown, linkBase: string | undefined): Buffer | URL | undefined {
  const base64 = textField(item, 'b64_json')
  if (base64) {
    return fromBase64(base64)
  }
  const link = linkBase === undefined ? undefined : textField(item, 'url')
  if (!link) {
    return undefined
  }
  return link.startsWith('data:') ? fromBase64(link) : (URL.parse(link, URL.parse(linkBase ?? '')?.origin) ?? undefined)
}

/** Some servers write a whole data URL where base64 alone is due. */
function fromBase64(text: string): Buffer {
  return Buffer.from(text.startsWith('data:') ? text.slice(text.indexOf(',') + 1) : text, 'base64')
}

function readUsage(body: unknown, { model, linkBase }: Context): Pick<ProviderImage, 'usage' | 'costMicroUsd'> {
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
  if (Object.values(tokens).every((count) => count === 0)) {
    return {}
  }
  const cost = Math.round(textIn * PRICES.textIn + imageIn * PRICES.imageIn + imageOut * PRICES.imageOut)
  const isPriced = linkBase === undefined && (model === 'gpt-image-2' || model.startsWith('gpt-image-2-'))
  return { usage: tokens, ...(isPriced && { costMicroUsd: cost }) }
}
