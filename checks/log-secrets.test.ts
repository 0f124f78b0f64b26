/** The log names requests, images and traces, and never a prompt, a key or what stands behind a question mark. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { until } from '@wombat/testing'
import { countStates, openRaw, orderOne, pathOf, query, requestText } from './image-tools.ts'
import { spawnTestServer } from './server-fixture.ts'

const PROMPT = 'Zanzibar quokka juggling "nineteen" marmalade jars'
const PROVIDER_KEYS = {
  OPENAI_API_KEY: 'sk-openai-xylophone-1',
  IDEOGRAM_API_KEY: 'ideogram-xylophone-2',
  GEMINI_API_KEY: 'gemini-xylophone-3',
  LEONARDO_API_KEY: '7a9d3d2c-4f0e-4b6c-9c51-xylophone004',
}
const MODELS = ['gpt-image-2', 'ideogram-3.0', 'nano-banana-2', 'standard']
const SECRETS = ['Zanzibar', 'quokka', 'marmalade', 'xylophone', 'signature', 'hushhush']

/**
 * An upstream that repeats everything it got, headers and body, in whatever it answers: as the error of each vendor, as
 * text, as JSON that is none, as a broken answer. The number in the prompt says how.
 */
async function startEcho() {
  async function answer(request: IncomingMessage, reply: ServerResponse) {
    const heard = `${(await buffer(request)).toString('latin1')} ${JSON.stringify(request.headers)}`
    const kind = Number(/case (\d+)/.exec(heard)?.[1] ?? 404)
    if (kind === 0) {
      request.socket.destroy()
    } else if (kind === 1) {
      reply.writeHead(200, { 'content-type': 'application/json' }).end(`${PROMPT} ${heard}`)
    } else if (kind === 2) {
      reply
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ data: heard, candidates: heard }))
    } else if (kind === 3) {
      reply.writeHead(500, { 'content-type': 'application/json', 'content-length': '9999' })
      reply.write(heard.slice(0, 900))
      setImmediate(() => reply.destroy())
    } else {
      const words = `${PROMPT} was not liked, and neither was ${heard}`
      const body = { error: { message: words, code: 'odd', status: 'INVALID_ARGUMENT' }, message: words, detail: words }
      reply.writeHead(kind, { 'content-type': 'application/json', 'x-request-id': 'up-1' }).end(JSON.stringify(body))
    }
  }
  const server = createServer((request, reply) => {
    answer(request, reply).catch(() => reply.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return {
    url: `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a noisy server says nothing that is nobody else’s business', { timeout: 120_000 }, async () => {
  await using echo = await startEcho()
  await using server = await spawnTestServer({
    env: {
      ...PROVIDER_KEYS,
      OPENAI_BASE_URL: echo.url,
      IDEOGRAM_BASE_URL: echo.url,
      GEMINI_BASE_URL: echo.url,
      LEONARDO_BASE_URL: echo.url,
      PROVIDER_ALLOW_PRIVATE: 'true',
      REFERENCE_ALLOW_HOSTS: new URL(echo.url).host,
      BOOTSTRAP_API_KEY: 'hushhush-0123456789',
      METRICS_TOKEN: 'hushhush-metrics-token',
      OTEL_EXPORTER_OTLP_ENDPOINT: `${echo.url}`,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hushhush',
      GENERATION_DEADLINE_HOURS: '0.003',
      RETRY_MAX_DELAY_SECONDS: '0.2',
      BREAKER_FAILURES: '1000',
      UNKNOWN_ATTEMPTS_LIMIT: '1',
      LOG_LEVEL: 'trace',
    },
  })
  const reference = `${echo.url}/picture.png?signature=hushhush`
  const untilAllEnded = () =>
    until(
      async () => {
        const { queued = 0, generating = 0 } = await countStates(server.databaseUrl)
        return queued + generating === 0
      },
      { timeoutMs: 60_000, what: 'every image has come to its end' },
    )
  for (const kind of [0, 1, 2, 3, 400, 413, 422, 500, 503, 429]) {
    for (const model of MODELS) {
      await orderOne(server, { prompt: `${PROMPT} case ${kind}`, model })
    }
  }
  await orderOne(server, { prompt: `${PROMPT} case 1`, enhancePrompt: 'on', generateAltText: true })
  await orderOne(server, { prompt: PROMPT, model: 'gpt-image-2', referenceImages: [reference] })
  await server.post({}, { rawBody: `{"prompt":"${PROMPT.replaceAll('"', '')}", oops` })
  await server.post({ prompt: PROMPT, model: PROMPT, size: PROMPT })
  await server.post({ prompt: PROMPT }, { key: 'hushhush-not-a-key-000000' })
  await server.post({ prompt: PROMPT }, { headers: { 'idempotency-key': PROMPT, traceparent: PROMPT } })
  await server.get(`${pathOf('v2-000000000-000000000')}?signature=hushhush`)
  await server.get(`/${encodeURIComponent(PROMPT)}?signature=hushhush`)
  const raw = await openRaw(server.url, requestText(`/%zz${PROMPT}`))
  await raw.closed
  await untilAllEnded()
  // Behind what parks a route nothing is sent any more.
  for (const kind of [402, 403, 401]) {
    for (const model of MODELS) {
      await orderOne(server, { prompt: `${PROMPT} case ${kind}`, model })
    }
  }
  await untilAllEnded()
  const attempts = JSON.stringify(await query(server.databaseUrl, 'SELECT route, failure, message FROM attempts'))
  const states = JSON.stringify(await query(server.databaseUrl, 'SELECT reason FROM route_states'))
  await server.stop()

  const lines = server.output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const said = (text: string) => lines.filter(({ msg }) => msg.startsWith(text))
  for (const text of ['images requested', 'image failed', 'image will be tried again', 'route is parked']) {
    assert.ok(said(text).length > 0, text)
  }
  assert.ok(said('image failed').every(({ imageId }) => imageId !== undefined))
  assert.ok(said('image will').every(({ requestId, traceId }) => traceId === requestId.replaceAll('-', '')))
  assert.match(attempts, /"(openai|ideogram|gemini|leonardo)/)
  for (const secret of SECRETS) {
    for (const [where, text] of Object.entries({ log: server.output, attempts, states })) {
      const at = text.toLowerCase().indexOf(secret.toLowerCase())
      assert.equal(at, -1, `${secret} in ${where}: ${text.slice(Math.max(0, at - 300), at + 100)}`)
    }
  }
})
