import type { IncomingMessage } from 'node:http'
import { cutOff, type Stage, send } from './emulator.ts'
import type { KoalaError } from './koala-rules.ts'

/** Error answers that can be switched on by name. */
export const KOALA_ERRORS = {
  invalid_request: { status: 400, code: 'invalid_request', message: 'size is malformed.' },
  unauthorized: { status: 401, code: 'unauthorized', message: 'The API key is unknown.' },
  insufficient_credits: {
    status: 402,
    code: 'insufficient_credits',
    message: 'This request costs 8 credits, 3 are left.',
  },
  plan_required: { status: 403, code: 'plan_required', message: 'This needs the Professional Plan.' },
  account_disabled: { status: 403, code: 'account_disabled', message: 'The account is disabled.' },
  not_found: { status: 404, code: 'not_found', message: 'There is no such address.' },
  request_timeout: { status: 408, code: 'request_timeout', message: 'The request did not arrive in time.' },
  idempotency_conflict: { status: 409, code: 'idempotency_conflict', message: 'The key was used with another body.' },
  generation_failed: { status: 410, code: 'generation_failed', message: 'The image could not be made.' },
  payload_too_large: { status: 413, code: 'payload_too_large', message: 'The body is too large.' },
  moderation_refused: { status: 422, code: 'moderation_refused', message: 'The prompt was refused.' },
  bad_reference: { status: 422, code: 'bad_reference', message: 'A reference could not be fetched.' },
  rate_limited: {
    status: 429,
    code: 'rate_limited',
    message: 'Too many requests.',
    headers: { 'retry-after': '7' },
  },
  internal_error: { status: 500, code: 'internal_error', message: 'Something went wrong.' },
  overloaded: { status: 503, code: 'overloaded', message: 'Too many wait already.', headers: { 'retry-after': '4' } },
} as const satisfies Readonly<Record<string, KoalaError>>

export const KOALA_BROKEN = [
  'bad_gateway_html',
  'html',
  'empty',
  'empty_array',
  'empty_object',
  'no_url',
  'bad_url',
  'cut_off',
  'cut_off_picture',
  'reset_before_reading',
  'reset_after_reading',
  'reset_in_body',
  'hang',
  'hang_in_body',
  'not_a_picture',
  'endless_redirect',
  'redirect_to_nowhere',
  'moved',
] as const

export type KoalaErrorFault = keyof typeof KOALA_ERRORS
export type KoalaBrokenFault = (typeof KOALA_BROKEN)[number]

/** A fault by name, or an error of one's own. */
export type KoalaFault = KoalaErrorFault | KoalaBrokenFault | KoalaError

/** The vendor shows no body of an error; this is Wombat's. */
export function koalaErrorBody({ code, message }: KoalaError, details?: Record<string, unknown>): unknown {
  return {
    error: message,
    message,
    code,
    requestId: 'req-emulated',
    ...(details && { details }),
    ...(details?.refunded === true && { refunded: true }),
  }
}

/** Breaks the connection before the body is read; false when the fault comes later. */
export function performEarlyKoalaFault(fault: KoalaFault, request: IncomingMessage): boolean {
  if (fault !== 'reset_before_reading') {
    return false
  }
  request.socket.resetAndDestroy()
  return true
}

/** True: nothing was ordered, because the fault comes before an order is looked at. */
export function isBeforeOrder(fault: KoalaFault): boolean {
  return typeof fault === 'object' || isErrorFault(fault) || fault === 'bad_gateway_html' || fault === 'moved'
}

export function performKoalaFault(fault: KoalaFault, stage: Stage): void {
  const error = typeof fault === 'object' ? fault : isErrorFault(fault) ? KOALA_ERRORS[fault] : undefined
  if (error) {
    const headers = 'headers' in error ? error.headers : undefined
    send(stage.reply, { status: error.status, ...(headers && { headers }), body: koalaErrorBody(error) })
  } else if (typeof fault === 'string' && !isErrorFault(fault)) {
    performBroken(fault, stage)
  }
}

const HTML = '<!doctype html><html><head><title>Welcome</title></head><body><h1>Welcome to nginx!</h1></body></html>'
const JPEG = { 'content-type': 'image/jpeg' }
const JPEG_BEGIN = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0])

function performBroken(fault: KoalaBrokenFault, { reply, answer, entry }: Stage): void {
  const json = { 'content-type': 'application/json' }
  switch (fault) {
    case 'bad_gateway_html':
      reply.writeHead(502, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'html':
      reply.writeHead(200, { 'content-type': 'text/html' }).end(HTML)
      return
    case 'empty':
      reply.writeHead(200, json).end()
      return
    case 'empty_array':
      send(reply, { status: 200, body: [] })
      return
    case 'empty_object':
      send(reply, { status: 200, body: {} })
      return
    case 'no_url':
      send(reply, { status: 200, body: [{ url: '', alt: '' }] })
      return
    case 'bad_url':
      send(reply, { status: 200, body: [{ url: 'http://[', alt: '' }] })
      return
    case 'cut_off':
      cutOff(reply, JSON.stringify(answer.body))
      return
    case 'cut_off_picture':
      reply.writeHead(200, { ...JPEG, 'content-length': 5000 }).write(JPEG_BEGIN, () => reply.socket?.destroy())
      return
    case 'reset_in_body':
      reply.writeHead(200, JPEG).write(JPEG_BEGIN, () => reply.socket?.resetAndDestroy())
      return
    case 'reset_before_reading':
    case 'reset_after_reading':
      reply.socket?.resetAndDestroy()
      return
    case 'hang':
      return
    case 'hang_in_body':
      reply.writeHead(200, entry.method === 'POST' ? json : JPEG).write(JPEG_BEGIN)
      return
    case 'not_a_picture':
      reply.writeHead(200, JPEG).end('noise instead of a picture '.repeat(40))
      return
    case 'endless_redirect':
      reply.writeHead(302, { location: `${entry.path}?wait=1`, 'cache-control': 'no-store' }).end()
      return
    case 'redirect_to_nowhere':
      reply.writeHead(302).end()
      return
    case 'moved':
      reply.writeHead(308, { location: entry.path.replace(/\/$/, '') }).end()
      return
  }
}

function isErrorFault(fault: string): fault is KoalaErrorFault {
  return Object.hasOwn(KOALA_ERRORS, fault)
}
