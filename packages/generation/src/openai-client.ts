import type OpenAI from 'openai'

export interface OpenAiAccess {
  readonly apiKey: string
  /** Ends in /v1. */
  readonly baseUrl?: string | undefined
}

export interface OpenedOpenAi {
  readonly client: OpenAI
  readonly sdk: typeof import('openai')
}

const OPENAI_URL = 'https://api.openai.com/v1'

/** Gives the client, which is loaded at the first call: the package takes a good part of a server's start. */
export function lazyOpenAi(access: OpenAiAccess): () => Promise<OpenedOpenAi> {
  let loaded: OpenedOpenAi | undefined
  return async () => {
    if (loaded) {
      return loaded
    }
    const sdk = await import('openai')
    // Everything that the SDK would else take from the environment is said here; its log would show prompts.
    const client = new sdk.default({
      apiKey: access.apiKey,
      baseURL: access.baseUrl ?? OPENAI_URL,
      organization: null,
      project: null,
      maxRetries: 0,
      logLevel: 'off',
    })
    loaded = { client, sdk }
    return loaded
  }
}
