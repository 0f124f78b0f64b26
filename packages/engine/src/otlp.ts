import { createHash } from 'node:crypto'

/* The form that OTLP gives to spans in JSON: opentelemetry.io/docs/specs/otlp. */

/** What a span is about: a request alone, or one of its images in one of its claims. */
export type Subject =
  | { readonly requestId: string }
  | { readonly requestId: string; readonly imageId: string; readonly fence: number }

export interface SpanRecord {
  readonly name: 'http.request' | 'queue.wait' | 'image.produce' | 'upstream.call' | 'store.put'
  readonly subject: Subject
  readonly startMs: number
  /** Now, unless given. */
  readonly endMs?: number
  /** Never a prompt, a key or a URL. */
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>
  readonly isError?: boolean
  /** `traceparent` of the client: another trace, which the span is linked to. */
  readonly cameFrom?: string | undefined
}

export function traceIdOf(requestId: string): string {
  return requestId.replaceAll('-', '')
}

function spanIdOf(...names: readonly (string | number)[]): string {
  return createHash('sha256').update(names.join(' ')).digest('hex').slice(0, 16)
}

const KINDS = { 'http.request': 2, 'queue.wait': 1, 'image.produce': 5, 'upstream.call': 3, 'store.put': 3 } as const
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/

export function toOtlp({
  name,
  subject,
  startMs,
  endMs = Date.now(),
  attributes,
  isError = false,
  cameFrom = '',
}: SpanRecord) {
  const root = spanIdOf(subject.requestId)
  const claim = 'imageId' in subject ? spanIdOf(subject.imageId, subject.fence) : root
  const isInClaim = name === 'upstream.call' || name === 'store.put'
  const ownId = { 'http.request': root, 'image.produce': claim }[String(name)]
  const [, traceId, spanId] = TRACEPARENT.exec(cameFrom) ?? []
  return {
    traceId: traceIdOf(subject.requestId),
    spanId: ownId ?? spanIdOf(name, claim, startMs, Math.random()),
    ...(name === 'http.request' ? {} : { parentSpanId: isInClaim ? claim : root }),
    name,
    kind: KINDS[name],
    startTimeUnixNano: toNanos(startMs),
    endTimeUnixNano: toNanos(Math.max(startMs, endMs)),
    attributes: toAttributes('imageId' in subject ? { 'wombat.image_id': subject.imageId, ...attributes } : attributes),
    links: traceId === undefined ? [] : [{ traceId, spanId }],
    status: isError ? { code: 2 } : {},
  }
}

function toNanos(ms: number): string {
  return `${BigInt(Math.round(ms * 1000)) * 1000n}`
}

export function toAttributes(values: SpanRecord['attributes']): object[] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value: toValue(value) }))
}

function toValue(value: string | number | boolean | undefined): object {
  if (typeof value === 'number') {
    // JSON has 64-bit integers as text.
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  }
  return typeof value === 'boolean' ? { boolValue: value } : { stringValue: value }
}
