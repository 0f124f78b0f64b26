/** Traces reach a collector whole, from the POST to the stored image, across processes and without an extra column. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startOpenAiEmulator, until } from '@wombat/testing'
import { idOf, orderOne, pathOf } from './image-tools.ts'
import { type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.ts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'

const attribute = ({ attributes }: ReceivedSpan, name: string) =>
  Object.values(attributes.find(({ key }) => key === name)?.value ?? {})[0]

describe('traces', { timeout: 60_000, concurrency: 3 }, () => {
  test('go from the POST through the queue to the upstream and the store, whichever process does what', async () => {
    await using collector = await startOtlpReceiver()
    await using emulator = await startOpenAiEmulator()
    emulator.setFault('server_error', { times: 1 })
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=se%20cret,x-team=acme',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=check',
      OPENAI_API_KEY: 'sk-check',
      OPENAI_BASE_URL: emulator.url,
      RETRY_MAX_DELAY_SECONDS: '0.05',
    }
    await using api = await startTestServer({ role: 'api', env })
    await using worker = await spawnTestServer({ role: 'worker', env: { ...env, LOG_LEVEL: 'info' }, beside: api })
    const client = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`
    const answer = await api.post({ prompt: 'a cat', enhancePrompt: 'off' }, { headers: { traceparent: client } })
    const id = idOf(answer.images[0]?.url ?? '')
    assert.equal((await api.get(pathOf(id))).status, 200)
    await until(
      () =>
        collector.spans.filter(({ name }) => name === 'image.produce').length === 2 &&
        collector.spans.some(({ name }) => name === 'http.request'),
      { what: 'the spans arrive', timeoutMs: 10_000 },
    )

    const traceId = answer.headers.get('x-request-id')?.replaceAll('-', '')
    assert.ok(traceId !== undefined && collector.spans.every((span) => span.traceId === traceId))
    const count = (name: string) => collector.spans.filter((span) => span.name === name)
    assert.deepEqual(
      ['http.request', 'queue.wait', 'image.produce', 'upstream.call', 'store.put'].map((name) => count(name).length),
      [1, 1, 2, 2, 1],
    )
    const [root] = count('http.request')
    assert.ok(root !== undefined)
    assert.equal(root.parentSpanId, undefined)
    assert.deepEqual(root.links, [{ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) }])
    assert.equal(attribute(root, 'http.response.status_code'), '200')
    const [failed, made] = count('image.produce')
    assert.ok(
      [...count('queue.wait'), ...count('image.produce')].every(({ parentSpanId }) => parentSpanId === root.spanId),
    )
    assert.deepEqual([failed?.status.code, made?.status.code], [2, undefined])
    assert.deepEqual(
      count('upstream.call').map((span) => [
        span.parentSpanId,
        attribute(span, 'wombat.outcome'),
        attribute(span, 'wombat.route'),
      ]),
      [
        [failed?.spanId, 'not_sent', 'openai'],
        [made?.spanId, 'done', 'openai'],
      ],
    )
    assert.equal(count('store.put')[0]?.parentSpanId, made?.spanId)
    assert.ok(collector.spans.every((span) => BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano)))
    assert.ok(
      collector.spans.every((span) => span.name === 'http.request' || attribute(span, 'wombat.image_id') === id),
    )
    assert.equal(new Set(collector.spans.map(({ spanId }) => spanId)).size, collector.spans.length)

    const [sent] = collector.headers
    assert.deepEqual([sent?.path, sent?.['api-key'], sent?.['x-team']], ['/v1/traces', 'se cret', 'acme'])
    assert.match(
      JSON.stringify(collector.resources[0]),
      /"service.name".*"wombat".*"deployment.environment.name".*"check"/,
    )
    await worker.stop()
    const line = worker.output.split('\n').find((one) => one.includes('image ready')) ?? ''
    assert.equal(JSON.parse(line).traceId, traceId)
    assert.equal(JSON.parse(line).requestId, answer.headers.get('x-request-id'))
  })

  test('of a share are whole or not there', async () => {
    await using collector = await startOtlpReceiver()
    const server = await startTestServer({
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.5',
      },
    })
    const ids = await Promise.all(Array.from({ length: 40 }, () => orderOne(server)))
    for (const id of ids) {
      assert.equal((await server.get(pathOf(id))).status, 200)
    }
    // What is waiting is sent at the end.
    await server[Symbol.asyncDispose]()
    const traces = Map.groupBy(collector.spans, ({ traceId }) => traceId)
    assert.ok(traces.size > 5 && traces.size < 35, `${traces.size}`)
    for (const spans of traces.values()) {
      const names = new Set(spans.map(({ name }) => name))
      assert.deepEqual([...names].sort(), ['http.request', 'image.produce', 'queue.wait', 'store.put', 'upstream.call'])
    }
  })

  test('that nobody takes hold nothing up and are not kept', async () => {
    await using collector = await startOtlpReceiver()
    collector.setStatus(503)
    await using server = await startTestServer({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url } })
    assert.equal((await server.get(pathOf(await orderOne(server)))).status, 200)
    await until(() => collector.headers.length > 0, { what: 'it was tried' })
    await server.stop()
    const told = collector.headers.length
    assert.ok(told <= 3, `${told}`)
    assert.deepEqual(collector.spans, [])
  })
})
