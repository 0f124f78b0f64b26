import type { Config } from './config.ts'
import { describeError, type Logger } from './logger.ts'
import { type SpanRecord, toAttributes, toOtlp, traceIdOf } from './otlp.ts'

/*
 * Traces in the form of OpenTelemetry, sent as OTLP over HTTP in JSON. The id of a request is the id of its trace, and
 * the ids of its spans come from what everybody knows of them, so that nothing need be handed from process to process.
 */

export interface Tracing {
  /** For a line of the log: with `traceId` where the request is traced. */
  ids(requestId: string): { requestId: string; traceId?: string }
  record(span: SpanRecord): void
  /** Does some work and records how long that took. */
  time<T>(span: Omit<SpanRecord, 'startMs' | 'endMs' | 'isError'>, work: () => Promise<T>): Promise<T>
  /** Sends what is waiting, and ends. */
  close(): Promise<void>
}

const SEND_EVERY_MS = 2_000
const SEND_TIMEOUT_MS = 5_000
/** A collector that is away costs no more memory than this; the rest is dropped. */
const MOST_WAITING = 4_096
const MOST_AT_ONCE = 512
const COMPLAIN_EVERY_MS = 60_000

type Settings = Pick<
  Config,
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_EXPORTER_OTLP_HEADERS'
  | 'OTEL_SERVICE_NAME'
  | 'OTEL_RESOURCE_ATTRIBUTES'
  | 'OTEL_TRACES_SAMPLER'
  | 'OTEL_TRACES_SAMPLER_ARG'
>

export function openTracing(config: Settings, log: Logger): Tracing {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) {
    return { ids: (requestId) => ({ requestId }), record() {}, time: (_, work) => work(), async close() {} }
  }
  const ratio = readRatio(config)
  const resource = {
    attributes: toAttributes({
      'service.name': config.OTEL_SERVICE_NAME,
      ...Object.fromEntries(config.OTEL_RESOURCE_ATTRIBUTES),
    }),
  }
  const headers = { 'content-type': 'application/json', ...Object.fromEntries(config.OTEL_EXPORTER_OTLP_HEADERS) }
  let waiting: object[] = []
  let sending: Promise<void> | undefined
  let complainedAtMs = Number.NEGATIVE_INFINITY

  async function send(spans: readonly object[]): Promise<void> {
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'wombat' }, spans }] }] })
    try {
      const signal = AbortSignal.timeout(SEND_TIMEOUT_MS)
      const answer = await fetch(`${endpoint}/v1/traces`, { method: 'POST', headers, body, signal, redirect: 'error' })
      await answer.body?.cancel()
      if (!answer.ok) {
        throw new Error(`the collector answered ${answer.status}`)
      }
    } catch (error) {
      if (performance.now() - complainedAtMs > COMPLAIN_EVERY_MS) {
        complainedAtMs = performance.now()
        log.warn({ spans: spans.length, err: describeError(error) }, 'traces could not be sent and are dropped')
      }
    }
  }
  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      await send(waiting.splice(0, MOST_AT_ONCE))
    }
  }
  function flush(): Promise<void> {
    sending ??= sendAll().finally(() => {
      sending = undefined
    })
    return sending
  }
  const timer = setInterval(() => void flush(), SEND_EVERY_MS)
  const isTraced = (requestId: string) => shareOf(requestId) < ratio

  function record(span: SpanRecord): void {
    if (isTraced(span.subject.requestId) && waiting.length < MOST_WAITING) {
      waiting.push(toOtlp(span))
    }
  }
  return {
    ids: (requestId) => (isTraced(requestId) ? { requestId, traceId: traceIdOf(requestId) } : { requestId }),
    record,
    async time(span, work) {
      const startMs = Date.now()
      let isError = true
      try {
        const value = await work()
        isError = false
        return value
      } finally {
        record({ ...span, startMs, isError })
      }
    },
    async close() {
      clearInterval(timer)
      await flush()
      waiting = []
    },
  }
}

function readRatio({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio }: Settings): number {
  switch (sampler) {
    case 'always_off':
    case 'parentbased_always_off':
      return 0
    case 'always_on':
    case 'parentbased_always_on':
      return 1
    case 'traceidratio':
    case 'parentbased_traceidratio':
      return ratio
  }
}

/** Where a request lies between 0 and 1: every process decides alike. */
function shareOf(requestId: string): number {
  return Number.parseInt(traceIdOf(requestId).slice(-13), 16) / 16 ** 13
}
