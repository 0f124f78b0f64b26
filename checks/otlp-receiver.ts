import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status: { readonly code?: number }
}

/** A collector of OpenTelemetry on a free port, which keeps what it gets. */
export async function startOtlpReceiver() {
  const spans: ReceivedSpan[] = []
  const resources: unknown[] = []
  const headers: Record<string, string | string[] | undefined>[] = []
  let status = 200
  async function take(request: IncomingMessage, reply: ServerResponse) {
    const body = await text(request)
    headers.push({ ...request.headers, path: request.url })
    if (status === 200) {
      const { resourceSpans } = JSON.parse(body)
      for (const { resource, scopeSpans } of resourceSpans) {
        resources.push(resource)
        for (const scope of scopeSpans) {
          spans.push(...scope.spans)
        }
      }
    }
    reply.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  }
  const server = createServer((request, reply) => {
    take(request, reply).catch(() => reply.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    resources,
    headers,
    setStatus(next: number) {
      status = next
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
