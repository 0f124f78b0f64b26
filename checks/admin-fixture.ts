import assert from 'node:assert/strict'
import { query } from './image-tools.ts'
import type { Answer } from './send.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

export const ANN = 'ann-secret-0123456789abcdef'
export const BOB = 'bob-secret-0123456789abcdef'
export const NOBODY = '3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01'

interface Options {
  /** Ann's, unless told otherwise; null sends none. */
  readonly token?: string | null
  /** Sent as it is, in place of the body as JSON. */
  readonly raw?: string
  readonly on?: TestServer
}

/** A server without workers whose admin API knows Ann and Bob, and ways to call it as Ann. */
export async function startAdminServer(env: Readonly<Record<string, string>> = {}) {
  const server = await startTestServer({ role: 'api', env: { ADMIN_TOKEN: `ann:${ANN}, bob:${BOB}`, ...env } })

  async function admin(method: string, path: string, body?: unknown, options: Options = {}): Promise<Answer> {
    const { token = ANN, raw, on = server } = options
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    return await on.get(`/admin/v1${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(text === undefined ? {} : { body: text }),
    })
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers are what is tested.
  async function ok(method: string, path: string, body?: unknown, status = 200): Promise<any> {
    const answer = await admin(method, path, body)
    assert.equal(answer.status, status, answer.text)
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal(answer.headers.get('access-control-allow-origin'), null)
    return answer.json
  }

  async function refused(status: number, code: string, method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await admin(method, path, body)
    assert.deepEqual([answer.status, answer.error.code], [status, code], answer.text)
    return answer
  }

  async function newest(count: number) {
    const { items } = await ok('GET', `/audit?limit=${count}`)
    return items.map(({ actor, action, subject, details }: Record<string, unknown>) => ({
      actor,
      action,
      subject,
      details,
    }))
  }

  async function entries(): Promise<number> {
    const [row] = await query(server.databaseUrl, 'SELECT count(*)::int AS n FROM audit_entries')
    return Number(row?.n)
  }

  const open = (name: string, more = {}) => ok('POST', '/accounts', { name, ...more }, 201)

  return { server, admin, ok, refused, newest, entries, open }
}
