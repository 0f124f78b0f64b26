import type { Socket } from 'node:net'
import { ApiError, type ErrorCode, errorBody } from '@wombat/contract'
import { describeError, type Engine } from '@wombat/engine'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Fastify's own errors that a client can cause, in our words. */
const FASTIFY_ERRORS: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'payload_too_large', message: 'The body is larger than 1 MiB.' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported_media_type',
    message: 'Send the body as JSON, with the header "Content-Type: application/json".',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'invalid_request',
    message: 'The body is not as long as its Content-Length says.',
  },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'invalid_json', message: 'The body is empty.' },
  FST_ERR_BAD_URL: { code: 'invalid_request', message: 'The address of the request is not valid.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'not_found', message: 'There is nothing at this address.' },
}

const METHODS: readonly { path: RegExp; allow: string }[] = [
  { path: /^\/api\/image-generation\/?$/, allow: 'POST, OPTIONS' },
  { path: /^\/api\/image\/[^/]+\/?$/, allow: 'GET, HEAD, DELETE, OPTIONS' },
  { path: /^\/(health\/(live|ready)|openapi\.json|docs)?\/?$/, allow: 'GET' },
]

/** Every error leaves as JSON of one shape. What is our fault is logged and says nothing of its inside. */
export function registerErrors(app: FastifyInstance, engine: Engine): void {
  const { DEV_MODE, METRICS } = engine.config
  const methods = [
    ...METHODS,
    ...(DEV_MODE ? [{ path: /^\/dev\/clock\/?$/, allow: 'GET, POST' }] : []),
    ...(METRICS ? [{ path: /^\/metrics\/?$/, allow: 'GET' }] : []),
  ]
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    // At an address that is none, nothing else that may be wrong with the request matters.
    const known = request.is404 ? nothingHere(request, methods) : toApiError(error)
    if (known === undefined) {
      engine.log.error(
        { ...engine.tracing.ids(request.id), route: request.routeOptions.url, err: describeError(error) },
        'request failed',
      )
    }
    sendError(
      reply,
      known ??
        new ApiError('internal_error', 'Something went wrong on this server. Try again, best with an Idempotency-Key.'),
    )
  })
  app.setNotFoundHandler((request, reply) => {
    sendError(reply, nothingHere(request, methods))
  })
}

function nothingHere(request: FastifyRequest, methods: typeof METHODS): ApiError {
  const path = request.url.split('?', 1)[0] ?? ''
  const known = methods.find((one) => one.path.test(path))
  return known === undefined
    ? new ApiError('not_found', 'There is nothing at this address.')
    : new ApiError('method_not_allowed', `This address takes ${known.allow}.`, { headers: { allow: known.allow } })
}

/** For addresses that the router can't read: Fastify answers them before any hook and handler. */
export function answerFrameworkError(error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  sendError(reply, toApiError(error) ?? new ApiError('invalid_request', 'The request is not valid.'))
}

function toApiError(error: FastifyError | ApiError): ApiError | undefined {
  if (error instanceof ApiError) {
    return error
  }
  const known = FASTIFY_ERRORS[error.code]
  if (known !== undefined) {
    return new ApiError(known.code, known.message)
  }
  const isClients = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
  return isClients ? new ApiError('invalid_request', 'The request is not valid.') : undefined
}

/** Not final, so nobody may keep it. */
export function sendError(reply: FastifyReply, error: ApiError): void {
  reply.status(error.status).headers({
    'cache-control': 'no-store',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset',
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
    'x-request-id': reply.request.id,
    ...error.headers,
  })
  if (error.retryAfterSeconds !== undefined) {
    reply.header('retry-after', error.retryAfterSeconds)
  }
  reply.type('application/json; charset=utf-8').send(JSON.stringify(errorBody(error, reply.request.id)))
}

const PARSER_ERRORS: Readonly<Record<string, { code: ErrorCode; status: string; message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    code: 'headers_too_large',
    status: '431 Request Header Fields Too Large',
    message: 'The headers are larger than 16 KiB.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'request_timeout',
    status: '408 Request Timeout',
    message: 'The request did not arrive in time.',
  },
}

/** Long enough to read the answer in. Then the socket goes, even if the other side never closes its half. */
const LINGER_MS = 1_000

/** What is no HTTP at all is answered on the bare socket, in the same shape. */
export function answerClientError(this: FastifyInstance, error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const known = PARSER_ERRORS[error.code ?? ''] ?? {
    code: 'invalid_request' as const,
    status: '400 Bad Request',
    message: 'The request is not valid HTTP.',
  }
  const requestId = crypto.randomUUID()
  const body = JSON.stringify(errorBody(known, requestId))
  socket.end(
    `HTTP/1.1 ${known.status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `X-Request-Id: ${requestId}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  )
  const linger = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(linger))
}
