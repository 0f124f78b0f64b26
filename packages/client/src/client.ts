import type { GeneratedImage, GenerationBody, ImageStatusBody } from '@wombat/contract'
import { readAnswer } from './answer.ts'
import { WombatError } from './wombat-error.ts'

export interface ClientOptions {
  /** Where the server is, such as `http://127.0.0.1:3000`, with or without a slash at the end. */
  readonly baseUrl: string
  /** Needed by `generate` only: images are public. */
  readonly apiKey?: string | undefined
  readonly fetch?: typeof globalThis.fetch
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
}

export interface GenerateAnswer {
  /** Their URLs are valid at once; a download waits until the image is there. */
  readonly images: readonly GeneratedImage[]
  /** Undefined when the server doesn't say: a hosted one does not. */
  readonly creditsCharged: number | undefined
  readonly creditsRemaining: number | undefined
  readonly provider: string | undefined
}

export interface DownloadedImage {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly contentType: string
}

/** All of them throw WombatError, and the signal's reason when they were aborted. Nothing is tried again by itself. */
export interface Client {
  /** With the same idempotency key a repeated call costs nothing and answers the same URLs, for 24 hours. */
  generate(
    body: GenerationBody,
    options?: RequestOptions & { idempotencyKey?: string | undefined },
  ): Promise<GenerateAnswer>
  /** The bytes of an image by its URL; waits while it is being made. */
  download(url: string, options?: RequestOptions): Promise<DownloadedImage>
  /** How an image is doing, by its URL. Never waits. */
  status(url: string, options?: RequestOptions): Promise<ImageStatusBody>
}

const NETWORK_MESSAGE = 'The server could not be reached, or broke off its answer.'

export function createClient(options: ClientOptions): Client {
  const baseUrl = options.baseUrl.replace(/\/+$/, '')
  const fetch = options.fetch ?? globalThis.fetch.bind(globalThis)

  async function send<T>(url: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> {
    try {
      return await read(await fetch(url, init))
    } catch (error) {
      if (error instanceof WombatError || init.signal?.aborted === true) {
        throw error
      }
      throw new WombatError(NETWORK_MESSAGE, { code: 'unreachable', status: 0, cause: error })
    }
  }

  return {
    generate(body, { idempotencyKey, signal } = {}) {
      const headers = {
        'content-type': 'application/json',
        ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      }
      const init = { method: 'POST', headers, body: JSON.stringify(body), signal: signal ?? null }
      return send(`${baseUrl}/api/image-generation/`, init, async (response) => ({
        images: await readAnswer(response, isImageList),
        creditsCharged: readNumber(response, 'x-credits-charged'),
        creditsRemaining: readNumber(response, 'x-credits-remaining'),
        provider: response.headers.get('x-provider') ?? undefined,
      }))
    },

    download(url, { signal } = {}) {
      return send(url, { signal: signal ?? null }, async (response) => {
        const contentType = response.headers.get('content-type')?.split(';')[0]?.trim() ?? ''
        if (!response.ok || !contentType.startsWith('image/')) {
          return await readAnswer(response, isNever)
        }
        return { bytes: new Uint8Array(await response.arrayBuffer()), contentType }
      })
    },

    status(url, { signal } = {}) {
      return send(statusUrl(url), { signal: signal ?? null }, (response) => readAnswer(response, isStatus))
    },
  }
}

/** The query of an image's address never matters. */
function statusUrl(url: string): string {
  return url.replace(/[?#].*$/, '').replace(/(\.(jpg|jpeg|png|webp|json))?$/i, '.json')
}

function readNumber(response: Response, header: string): number | undefined {
  const text = response.headers.get(header)
  return text === null || !/^\d+$/.test(text) ? undefined : Number(text)
}

function isImageList(value: unknown): value is GeneratedImage[] {
  return (
    Array.isArray(value) &&
    value.every((item: unknown) => isObject(item) && typeof item.url === 'string' && typeof item.alt === 'string')
  )
}

function isStatus(value: unknown): value is ImageStatusBody {
  return isObject(value) && typeof value.id === 'string' && typeof value.status === 'string'
}

function isNever(_: unknown): _ is never {
  return false
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
