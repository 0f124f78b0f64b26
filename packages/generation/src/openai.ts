import type { Quality } from '@wombat/contract'
import { readOpenAiImage } from './openai-answer.ts'
import { lazyOpenAi, type OpenAiAccess, type OpenedOpenAi } from './openai-client.ts'
import { classifyOpenAiError } from './openai-errors.ts'
import { type ImageProvider, ProviderError, type ProviderRequest } from './provider.ts'

export interface OpenAiOptions extends OpenAiAccess {
  /** The upstream's own model name. */
  readonly model?: string | undefined
  /** From the first byte sent to the last byte of the picture. */
  readonly timeoutMs?: Partial<Record<'fast' | 'medium' | 'high', number>> | undefined
}

export const OPENAI_IMAGE_MODEL = 'gpt-image-2'

const TIMEOUTS_MS = { fast: 60_000, medium: 120_000, high: 300_000 }
const CHECK_TIMEOUT_MS = 10_000

/** The word for each quality, ours and the upstream's; the last two belong to models that never come here. */
const QUALITIES: Record<Quality, { timeout: keyof typeof TIMEOUTS_MS; upstream: 'low' | 'medium' | 'high' }> = {
  fast: { timeout: 'fast', upstream: 'low' },
  medium: { timeout: 'medium', upstream: 'medium' },
  high: { timeout: 'high', upstream: 'high' },
  turbo: { timeout: 'fast', upstream: 'low' },
  standard: { timeout: 'fast', upstream: 'low' },
}

/** OpenAI's image API, or one that speaks as it does. References turn a generation into an edit. */
export function createOpenAiProvider(options: OpenAiOptions): ImageProvider {
  const open = lazyOpenAi(options)
  const model = options.model ?? OPENAI_IMAGE_MODEL
  const timeoutsMs = { ...TIMEOUTS_MS, ...options.timeoutMs }
  return {
    name: 'openai',
    isPaid: true,
    async generate(request, signal) {
      if (signal.aborted) {
        throw new ProviderError('transient', 'called off before it was sent', { cause: signal.reason })
      }
      const opened = await open()
      const timeoutMs = timeoutsMs[QUALITIES[request.quality].timeout]
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      try {
        return await readOpenAiImage(await send(opened, model, request, limit), model)
      } catch (error) {
        if (signal.aborted) {
          throw new ProviderError('unknown', 'called off after it was sent to OpenAI', { cause: signal.reason })
        }
        if (limit.aborted) {
          throw new ProviderError('unknown', `OpenAI did not answer within ${timeoutMs} ms`, { cause: limit.reason })
        }
        throw classifyOpenAiError(error, options.apiKey)
      }
    },
    check: () => check(open, { model, apiKey: options.apiKey }),
    close: async () => {},
  }
}

async function send(
  { client, sdk }: OpenedOpenAi,
  model: string,
  request: ProviderRequest,
  signal: AbortSignal,
): Promise<Response> {
  const body = {
    model,
    prompt: request.prompt,
    size: `${request.width}x${request.height}`,
    quality: QUALITIES[request.quality].upstream,
    n: 1,
    output_format: request.isOriginalPreserved ? 'png' : 'jpeg',
    user: request.endUser,
  } as const
  // The timeout that counts is the signal's, which covers the body too; the SDK's own ends with the headers.
  const settings = { signal, timeout: 86_400_000 }
  if (request.references.length === 0) {
    return client.images.generate({ ...body, moderation: 'auto' }, settings).asResponse()
  }
  // Edits know no `moderation`, and for gpt-image-2 no `input_fidelity`.
  const image = await Promise.all(
    request.references.map(({ bytes, contentType }, index) =>
      sdk.toFile(bytes, `reference-${index}.${contentType.slice('image/'.length)}`, { type: contentType }),
    ),
  )
  return client.images.edit({ ...body, image }, settings).asResponse()
}

/** Lists the models: free, and it fails as a picture would with a wrong key, no network or a retired model. */
async function check(open: () => Promise<OpenedOpenAi>, options: { model: string; apiKey: string }): Promise<void> {
  let names: string[]
  try {
    const { client } = await open()
    const page = await client.models.list({ signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) })
    names = page.data.map(({ id }) => id)
  } catch (error) {
    throw classifyOpenAiError(error, options.apiKey)
  }
  if (!names.includes(options.model)) {
    throw new ProviderError('mistake', `OpenAI offers no model called ${options.model}`)
  }
}
