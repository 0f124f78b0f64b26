import type { IncomingHttpHeaders } from 'node:http2'
import { createTemporaryDirectory, freePort } from '@wombat/testing'
import { type Http2Answer, type Http2Client, type Http2Request, openHttp2 } from './http2-client.ts'
import { makeCertificate, startNginx, type TestNginx } from './nginx.ts'
import { GENERATE } from './send.ts'
import { type StartOptions, startTestServer, type TestServer } from './server-fixture.ts'

export const PREFIX = '/wombat'
export const CAT = JSON.stringify({ prompt: 'cat', enhancePrompt: 'off' })
/** A client that nobody trusts: TRUST_PROXY names 127.0.0.1 alone. */
export const STRANGER = '127.0.0.9'

export interface ErrorAnswer {
  readonly code: string
  readonly details?: { readonly address?: string }
}

export interface BehindNginx {
  /** Nobody works in it but the test. It begins with the delivery of an image after a second. */
  readonly server: TestServer
  /** Its settings, for other processes beside it. */
  readonly env: Readonly<Record<string, string>>
  /** Where PUBLIC_URL leads to. */
  readonly port: number
  readonly publicUrl: string
  /** With `upstreams`, or before `server` alone; at a free port, or at `port`. */
  startNginx(options?: {
    port?: number
    upstreams?: readonly [string, string]
    changes?: Readonly<Record<string, string>>
  }): Promise<TestNginx>
  connectTo(nginx: TestNginx, from?: string): Http2Client
  /** POSTs a cat below the prefix, with the first account's key. */
  postTo(client: Http2Client, request?: Http2Request): Promise<Http2Answer>
  readonly bearer: Readonly<Record<string, string>>
  [Symbol.asyncDispose](): Promise<void>
}

/** The line of the documented file that strips the prefix, turned on. */
export const STRIP = { '# rewrite ^/wombat': 'rewrite ^/wombat' }

export async function openBehindNginx(more: StartOptions['env'] = {}): Promise<BehindNginx> {
  await using stack = new AsyncDisposableStack()
  const certificate = await makeCertificate(stack.use(await createTemporaryDirectory()).path)
  const port = await freePort()
  const publicUrl = `https://127.0.0.1:${port}${PREFIX}`
  const env = { PUBLIC_URL: publicUrl, TRUST_PROXY: '127.0.0.1', ADMIN_TOKEN: 'an-admin-token-of-24-letters' }
  const soon = { IMAGE_SOFT_WAIT_SECONDS: '1', IMAGE_KEEPALIVE_SECONDS: '1' }
  const server = stack.use(await startTestServer({ role: 'api', env: { ...env, ...soon, ...more } }))
  const bearer = { authorization: `Bearer ${server.apiKey}`, 'content-type': 'application/json' }
  const { host } = new URL(server.url)
  const owned = stack.move()
  return {
    server,
    env,
    port,
    publicUrl,
    bearer,
    startNginx: async (options) =>
      await startNginx({
        port: options?.port ?? (await freePort()),
        certificate,
        upstreams: options?.upstreams ?? [host, host],
        changes: { ...STRIP, ...options?.changes },
      }),
    connectTo: (nginx, from) => openHttp2(nginx.url, certificate, from),
    postTo: (client, { headers = {}, body = CAT } = {}) =>
      client.ask(`${PREFIX}${GENERATE}`, { method: 'POST', headers: { ...bearer, ...headers }, body }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

export function textOf(headers: IncomingHttpHeaders, name: string): string {
  return String(headers[name] ?? '')
}
