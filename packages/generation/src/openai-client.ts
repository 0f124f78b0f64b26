import type OpenAI from 'openai'

export interface OpenAiAccess {
  readonly apiKey: string
  /** Ends in /v1; for Azure it is the endpoint of the resource, such as https://my.openai.azure.com. */
  readonly baseUrl?: string | undefined
}

/** Azure answers under the name of a deployment, which stands for a model, and wants the version of its API named. */
export interface AzureDeployment {
  readonly apiVersion: string
  readonly deployment: string
}

export interface OpenedOpenAi {
  readonly client: OpenAI
  readonly sdk: typeof import('openai')
}

const OPENAI_URL = 'https://api.openai.com/v1'

/** Gives the client, which is loaded at the first call: the package takes a good part of a server's start. */
export function lazyOpenAi(
  access: OpenAiAccess & { readonly azure?: AzureDeployment | undefined },
): () => Promise<OpenedOpenAi> {
  let loaded: OpenedOpenAi | undefined
  return async () => {
    if (loaded) {
      return loaded
    }
    const sdk = await import('openai')
    const { apiKey, azure } = access
    const baseURL = access.baseUrl?.replace(/\/+$/, '') ?? OPENAI_URL
    const client = azure
      ? new sdk.AzureOpenAI({
          ...SETTINGS,
          ...azure,
          apiKey,
          baseURL: `${baseURL}/openai`,
          defaultHeaders: { 'api-key': apiKey, authorization: null },
        })
      : new sdk.default({
          ...SETTINGS,
          apiKey,
          baseURL,
          defaultHeaders: { authorization: `Bearer ${apiKey}`, 'api-key': null },
        })
    loaded = { client, sdk }
    return loaded
  }
}

/** What the SDK sets by itself. */
const SENT_HEADERS = /^(accept|api-key|authorization|content-type|user-agent|x-stainless-.+)$/

/**
 * Everything that the SDK would else take from the environment is said here or beside the key; its log would show
 * prompts. Only headers have no such setting: those of OPENAI_CUSTOM_HEADERS are taken off again.
 */
const SETTINGS = {
  adminAPIKey: null,
  organization: null,
  project: null,
  webhookSecret: null,
  maxRetries: 0,
  logLevel: 'off',
  fetch: (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers)
    for (const name of [...headers.keys()].filter((name) => !SENT_HEADERS.test(name))) {
      headers.delete(name)
    }
    return fetch(url, { ...init, headers, redirect: 'manual' })
  },
} as const
