import { readAnswer as readJson, WombatError } from '@wombat/client'
import { type Answered, type Operation, readAnswer, type Sending } from '@wombat/contract'

export interface AdminClientOptions {
  /** Where the server is, such as `https://images.example.com`, with or without a slash at the end. */
  readonly baseUrl: string
  /** One of the server's ADMIN_TOKEN, without its name. */
  readonly token: string
  readonly fetch?: typeof globalThis.fetch
}

export interface AdminClient {
  /**
   * One of `ADMIN` in @wombat/contract. Throws WombatError, and the signal's reason when it was aborted. Nothing is tried
   * again by itself.
   */
  call<O extends Operation>(
    operation: O,
    sending?: Sending<O>,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Answered<O>>
}

export function createAdminClient({ baseUrl, token, fetch = globalThis.fetch }: AdminClientOptions): AdminClient {
  return {
    async call(operation, { params, query, body } = {}, { signal } = {}) {
      const url = `${baseUrl.replace(/\/+$/, '')}${fill(operation.path, params)}${toSearch(query)}`
      const init: RequestInit = {
        method: operation.method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The token is for this server, and for none that it names.
        redirect: 'error',
        signal: signal ?? null,
      }
      const json = await send(() => fetch(url, init), signal)
      const answer = readAnswer(operation, json)
      if (answer === undefined) {
        throw new WombatError('The server answered something else than was asked for: is it of another version?', {
          code: 'unexpected',
          status: 200,
        })
      }
      return answer
    },
  }
}

async function send(request: () => Promise<Response>, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    return await readJson(await request(), isAnything)
  } catch (error) {
    if (error instanceof WombatError || signal?.aborted === true) {
      throw error
    }
    throw new WombatError('The server could not be reached, or broke off its answer.', {
      code: 'unreachable',
      status: 0,
      cause: error,
    })
  }
}

function isAnything(value: unknown): value is unknown {
  return value !== undefined
}

function fill(path: string, params: object = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(Reflect.get(params, name))))
}

function toSearch(query: object = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) {
      search.set(name, String(value))
    }
  }
  return search.size === 0 ? '' : `?${search}`
}
