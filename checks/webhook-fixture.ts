import assert from 'node:assert/strict'
import { createTemporaryDirectory } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import { query } from './image-tools.ts'
import type { SendOptions } from './send.ts'
import { startTestServer } from './server-fixture.ts'
import { type Receiver, startReceiver } from './webhook-receiver.ts'

export const PUBLIC_URL = 'https://images.example.com'

/** A server that makes no images by itself, two receivers that it may tell, and the command. */
export async function openWebhooks() {
  await using stack = new AsyncDisposableStack()
  const receiver = stack.use(await startReceiver())
  const other = stack.use(await startReceiver())
  const env = { PUBLIC_URL, WEBHOOK_ALLOW_HOSTS: `${receiver.host},${other.host}` }
  const server = stack.use(await startTestServer({ role: 'api', env }))
  const folder = stack.use(await createTemporaryDirectory())
  const kept = stack.move()

  function wombat(args: readonly string[], settings: Readonly<Record<string, string>> = env) {
    return callCli(args, {
      folder: folder.path,
      env: { DATABASE_URL: server.databaseUrl, ...server.parts, ...settings },
    })
  }

  async function json(...args: string[]) {
    const { code, stdout, stderr } = await wombat([...args, '--json'])
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout)
  }

  /** An account with a webhook of its own, so that no test sees another's messages. */
  async function subscribe(to: Receiver, path: string) {
    const account = await server.createAccount()
    const made = await json('webhook', 'create', '--account', account.accountId, '--url', `http://${to.host}${path}`)
    const webhookId = String(made.webhookId)
    return {
      ...account,
      webhookId,
      secret: String(made.secret),
      post: (body: unknown, options: SendOptions = {}) => server.post(body, { key: account.apiKey, ...options }),
      received: () => to.received.filter((message) => message.path === path),
      rows: () =>
        query(
          server.databaseUrl,
          'SELECT *, due_at > now() AS is_later FROM webhook_deliveries WHERE webhook_id = $1 ORDER BY created_at, id',
          [webhookId],
        ),
      dueNow: () =>
        query(server.databaseUrl, 'UPDATE webhook_deliveries SET due_at = now() WHERE webhook_id = $1', [webhookId]),
    }
  }

  return {
    receiver,
    other,
    env,
    server,
    wombat,
    json,
    subscribe,
    worker: (settings: Readonly<Record<string, string>> = {}) =>
      startTestServer({ role: 'worker', beside: server, env: { ...env, ...settings } }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
