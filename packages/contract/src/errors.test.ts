import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError, ERROR_STATUS, errorBody } from './errors.ts'

test('every code has the status of the contract', () => {
  assert.deepEqual(ERROR_STATUS, {
    invalid_request: 400,
    invalid_json: 400,
    model_unavailable: 400,
    unauthorized: 401,
    insufficient_credits: 402,
    plan_required: 403,
    account_disabled: 403,
    address_not_allowed: 403,
    key_not_allowed: 403,
    budget_exceeded: 403,
    not_found: 404,
    method_not_allowed: 405,
    request_timeout: 408,
    idempotency_conflict: 409,
    conflict: 409,
    image_in_progress: 409,
    image_finished: 409,
    generation_failed: 410,
    generation_deadline: 410,
    image_cancelled: 410,
    image_erased: 410,
    image_expired: 410,
    payload_too_large: 413,
    uri_too_long: 414,
    unsupported_media_type: 415,
    range_not_satisfiable: 416,
    moderation_refused: 422,
    bad_reference: 422,
    rate_limited: 429,
    headers_too_large: 431,
    internal_error: 500,
    overloaded: 503,
    shutting_down: 503,
    image_pending: 503,
  })
})

test('an error carries its code, its status and what it was given', () => {
  const cause = new Error('why')
  const error = new ApiError('rate_limited', 'Wait a second.', {
    cause,
    details: { scope: 'key' },
    headers: { 'RateLimit-Limit': '60' },
    retryAfterSeconds: 1,
  })
  assert.ok(error instanceof Error)
  assert.equal(error.name, 'ApiError')
  assert.equal(error.code, 'rate_limited')
  assert.equal(error.status, 429)
  assert.equal(error.message, 'Wait a second.')
  assert.equal(error.cause, cause)
  assert.deepEqual(error.details, { scope: 'key' })
  assert.deepEqual(error.headers, { 'RateLimit-Limit': '60' })
  assert.equal(error.retryAfterSeconds, 1)
})

test('an error without options has no details, no headers and no cause', () => {
  const error = new ApiError('not_found', 'There is no such image.')
  assert.equal(error.details, undefined)
  assert.equal(error.headers, undefined)
  assert.equal(error.retryAfterSeconds, undefined)
  assert.equal(Object.hasOwn(error, 'cause'), false)
})

test('the body says the sentence twice, then the code, the request and the details', () => {
  const error = new ApiError('insufficient_credits', 'This costs 8 credits.', {
    details: { required: 8, available: 1 },
  })
  assert.equal(
    JSON.stringify(errorBody(error, 'req-1')),
    '{"error":"This costs 8 credits.","message":"This costs 8 credits.","code":"insufficient_credits",' +
      '"requestId":"req-1","details":{"required":8,"available":1}}',
  )
})

test('a body without details has no such key', () => {
  const body = errorBody({ code: 'internal_error', message: 'Something went wrong.', details: undefined }, 'req-2')
  assert.deepEqual(Object.keys(body), ['error', 'message', 'code', 'requestId'])
})
