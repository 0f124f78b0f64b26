import { readGeminiImage } from './gemini-answer.ts'
import { classifyGeminiError } from './gemini-errors.ts'
import { pictureType } from './picture-type.ts'
import { type ImageProvider, ProviderError, type ProviderRequest } from './provider.ts'
import { isRecord, textField } from './untrusted.ts'
import { callUpstream } from './upstream-call.ts'

export interface GeminiOptions {
  readonly apiKey: string
  /** Ends before /v1beta. */
  readonly baseUrl?: string | undefined
  /** The upstream's own model name. */
  readonly model?: string | undefined
  /** From the first byte sent to the last byte of the picture. */
  readonly timeoutMs?: number | undefined
}

export const GEMINI_IMAGE_MODEL = 'gemini-3.1-flash-image'

const GEMINI_URL = 'https://generativelanguage.googleapis.com'
/** 6 to 15 seconds are usual at 1K. */
const TIMEOUT_MS = 120_000
const CHECK_TIMEOUT_MS = 10_000

/** Without 1:4, 4:1, 1:8 and 8:1: from those, too little would be left of a picture that is cut to one of our sizes. */
const RATIOS = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9'] as const

/** Google's Gemini API (not Vertex), or one that speaks as it does. One call is one picture, a JPEG of about 1 megapixel. */
export function createGeminiProvider(options: GeminiOptions): ImageProvider {
  const model = options.model ?? GEMINI_IMAGE_MODEL
  const baseUrl = (options.baseUrl ?? GEMINI_URL).replace(/\/+$/, '')
  const url = `${baseUrl}/v1beta/models/${encodeURIComponent(model)}`
  const headers = { 'x-goog-api-key': options.apiKey }
  return {
    name: 'gemini',
    isPaid: true,
    async generate(request, signal) {
      const answer = await callUpstream({
        vendor: 'Gemini',
        url: `${url}:generateContent`,
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(toBody(request)),
        signal,
        timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      })
      if (answer.status >= 200 && answer.status < 300) {
        return readGeminiImage(answer, model)
      }
      throw classifyGeminiError(answer, {
        apiKey: options.apiKey,
        prompt: request.prompt,
        hasReferences: request.references.length > 0,
        nowMs: Date.now(),
      })
    },
    check: () => check({ url, headers, model, apiKey: options.apiKey }),
    close: async () => {},
  }
}

function toBody({ prompt, references, width, height }: ProviderRequest): unknown {
  // A wrong type is refused, so the bytes have the last word.
  const pictures = references.map(({ bytes, contentType }) => ({
    inlineData: { mimeType: pictureType(bytes) ?? contentType, data: bytes.toString('base64') },
  }))
  return {
    contents: [{ role: 'user', parts: [{ text: prompt }, ...pictures] }],
    generationConfig: {
      responseModalities: ['IMAGE'],
      imageConfig: { aspectRatio: nearestRatio(width, height), imageSize: '1K' },
    },
  }
}

/** The ratio whose shape is nearest by its logarithm, as with our own sizes. */
function nearestRatio(width: number, height: number): string {
  const distance = (ratio: string): number => {
    const [across = 1, down = 1] = ratio.split(':').map(Number)
    return Math.abs(Math.log(across / down) - Math.log(width / height))
  }
  return RATIOS.reduce((best, ratio) => (distance(ratio) < distance(best) ? ratio : best))
}

/** Looks the model up: free, and it fails as a picture would with a wrong key, no network or a retired model. */
async function check(options: {
  url: string
  headers: Readonly<Record<string, string>>
  model: string
  apiKey: string
}): Promise<void> {
  const answer = await callUpstream({
    vendor: 'Gemini',
    url: options.url,
    method: 'GET',
    headers: options.headers,
    signal: new AbortController().signal,
    timeoutMs: CHECK_TIMEOUT_MS,
    isRepeatable: true,
  })
  const { status, json } = answer
  if (status === 404) {
    throw new ProviderError('mistake', `Gemini offers no model called ${options.model}`, { status })
  }
  if (status !== 200) {
    throw classifyGeminiError(answer, { apiKey: options.apiKey, prompt: '', hasReferences: false, nowMs: Date.now() })
  }
  if (!isRecord(json) || textField(json, 'name') === undefined) {
    throw new ProviderError('transient', 'what answered 200 for Gemini is not Gemini', { status })
  }
}
