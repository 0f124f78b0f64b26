import type { Quality } from '@wombat/contract'
import { keepJob } from './keep-job.ts'
import { type OpenAiAnswer, readOpenAiAnswer } from './openai-answer.ts'
import { type AzureDeployment, lazyOpenAi, type OpenAiAccess, type OpenedOpenAi } from './openai-client.ts'
import { classifyOpenAiError } from './openai-errors.ts'
import { fetchLink } from './picture-link.ts'
import { type ImageProvider, ProviderError, type ProviderRequest } from './provider.ts'

export interface OpenAiOptions extends OpenAiAccess {
  /** The upstream's own model name. */
  readonly model?: string | undefined
  /** From the first byte sent to the last byte of the picture. */
  readonly timeoutMs?: Partial<Record<'fast' | 'medium' | 'high', number>> | undefined
  /** Azure OpenAI, at the endpoint that is in `baseUrl`. */
  readonly azure?: AzureDeployment | undefined
  /**
   * Any server that speaks as OpenAI did of old, such as LocalAI: it is sent what all of them know and nothing else, may
   * answer with a link, needs no key, and makes pictures of any size.
   */
  readonly isCompatible?: boolean | undefined
  /** Links of a compatible server may lead to a private network. */
  readonly allowPrivateLinks?: boolean | undefined
}

export const OPENAI_IMAGE_MODEL = 'gpt-image-2'

const TIMEOUTS_MS = { fast: 60_000, medium: 120_000, high: 290_000 }
const CHECK_TIMEOUT_MS = 10_000

/** The word for each quality, ours and the upstream's; the last two belong to models that never come here. */
const QUALITIES: Record<Quality, { timeout: keyof typeof TIMEOUTS_MS; upstream: 'low' | 'medium' | 'high' }> = {
  fast: { timeout: 'fast', upstream: 'low' },
  medium: { timeout: 'medium', upstream: 'medium' },
  high: { timeout: 'high', upstream: 'high' },
  turbo: { timeout: 'fast', upstream: 'low' },
  standard: { timeout: 'fast', upstream: 'low' },
}

/** Which of the three it is. `vendor` is for messages. */
interface Form {
  readonly name: 'openai' | 'azure-openai' | 'openai-compatible'
  readonly vendor: string
}

interface Upstream {
  readonly form: Form
  readonly open: () => Promise<OpenedOpenAi>
  readonly model: string
  readonly options: OpenAiOptions
}

/** OpenAI's image API, the one of Azure, or one that speaks as it does. References turn a generation into an edit. */
export function createOpenAiProvider(options: OpenAiOptions): ImageProvider {
  const form = readForm(options)
  const isKeyless = options.isCompatible === true && options.apiKey === ''
  const upstream: Upstream = {
    form,
    // The SDK insists on a key.
    open: lazyOpenAi(isKeyless ? { ...options, apiKey: 'none' } : options),
    model: options.model ?? OPENAI_IMAGE_MODEL,
    options,
  }
  const fetchPicture = (link: string, signal: AbortSignal): Promise<Buffer> =>
    fetchLink(link, { vendor: form.vendor, allowPrivate: options.allowPrivateLinks ?? false, signal })
  return {
    name: form.name,
    isPaid: true,
    async generate(request, signal) {
      if (signal.aborted) {
        throw new ProviderError('transient', 'called off before it was sent', { cause: signal.reason })
      }
      if (options.isCompatible === true && request.job !== undefined) {
        return { bytes: await fetchPicture(request.job, signal) }
      }
      const { picture, facts } = await ask(upstream, request, signal)
      if (picture instanceof URL) {
        await keepJob(request, picture.href)
        return { bytes: await fetchPicture(picture.href, signal), ...facts }
      }
      return { bytes: picture, ...facts }
    },
    check: () => check(upstream),
    close: async () => {},
  }
}

function readForm({ azure, isCompatible, baseUrl }: OpenAiOptions): Form {
  if (azure === undefined && isCompatible !== true) {
    return { name: 'openai', vendor: 'OpenAI' }
  }
  if (azure !== undefined && isCompatible === true) {
    throw new Error('an OpenAI provider is either Azure or a compatible server')
  }
  if (baseUrl === undefined) {
    throw new Error('Azure and servers that are compatible with OpenAI need a base URL')
  }
  return azure
    ? { name: 'azure-openai', vendor: 'Azure OpenAI' }
    : { name: 'openai-compatible', vendor: 'the OpenAI-compatible server' }
}

async function ask(upstream: Upstream, request: ProviderRequest, signal: AbortSignal): Promise<OpenAiAnswer> {
  const { form, open, model, options } = upstream
  const { vendor } = form
  const opened = await open()
  const { timeout } = QUALITIES[request.quality]
  const timeoutMs = options.timeoutMs?.[timeout] ?? TIMEOUTS_MS[timeout]
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const linkBase = options.isCompatible === true ? options.baseUrl : undefined
  try {
    return await readOpenAiAnswer(await send(opened, upstream, request, limit), { vendor, model, linkBase })
  } catch (error) {
    if (signal.aborted) {
      throw new ProviderError('unknown', `called off after it was sent to ${vendor}`, { cause: signal.reason })
    }
    if (limit.aborted) {
      throw new ProviderError('unknown', `${vendor} did not answer within ${timeoutMs} ms`, { cause: limit.reason })
    }
    throw classifyOpenAiError(error, { vendor, apiKey: options.apiKey, prompt: request.prompt })
  }
}

async function send(
  { client, sdk }: OpenedOpenAi,
  { model, options }: Upstream,
  request: ProviderRequest,
  signal: AbortSignal,
): Promise<Response> {
  const body = {
    model,
    prompt: request.prompt,
    size: `${request.width}x${request.height}`,
    n: 1,
    ...(options.isCompatible === true ? ({ response_format: 'b64_json' } as const) : ownFields(request)),
  }
  // The timeout that counts is the signal's, which covers the body too; the SDK's own ends with the headers.
  const settings = { signal, timeout: 86_400_000 }
  if (request.references.length === 0) {
    // Azure's filter is set where the deployment is; elsewhere nothing but OpenAI knows the field.
    const isOpenAi = options.isCompatible !== true && options.azure === undefined
    return client.images.generate({ ...body, ...(isOpenAi && { moderation: 'auto' }) }, settings).asResponse()
  }
  // Edits know no `moderation`, and for gpt-image-2 no `input_fidelity`.
  const image = await Promise.all(
    request.references.map(({ bytes, contentType }, index) =>
      sdk.toFile(bytes, `reference-${index}.${contentType.slice('image/'.length)}`, { type: contentType }),
    ),
  )
  return client.images.edit({ ...body, image }, settings).asResponse()
}

/** What OpenAI and Azure know beyond what every server does. */
function ownFields(request: ProviderRequest) {
  return {
    quality: QUALITIES[request.quality].upstream,
    output_format: request.isOriginalPreserved ? 'png' : 'jpeg',
    user: request.endUser,
  } as const
}

/**
 * Lists the models: free, and it fails as a picture would with a wrong key or no network. Only OpenAI's list tells
 * whether ours is still served: Azure's has no deployments in it, and those of others often no image models.
 */
async function check({ form, open, model, options }: Upstream): Promise<void> {
  let names: string[]
  try {
    const { client } = await open()
    const page = await client.models.list({ signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) })
    names = page.data.map(({ id }) => id)
  } catch (error) {
    const known = classifyOpenAiError(error, { vendor: form.vendor, apiKey: options.apiKey })
    // It is there, and has no list.
    if (form.name === 'openai-compatible' && (known.status === 404 || known.status === 405)) {
      return
    }
    throw known
  }
  if (form.name === 'openai' && !names.includes(model)) {
    throw new ProviderError('mistake', `OpenAI offers no model called ${model}`)
  }
}
