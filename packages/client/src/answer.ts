import type { ErrorBody } from '@wombat/contract'
import { WombatError } from './wombat-error.ts'

/** The JSON of a good answer in the shape that `isExpected` checks; throws WombatError for every other answer. */
export async function readAnswer<T>(response: Response, isExpected: (value: unknown) => value is T): Promise<T> {
  const body = parseJson(await response.text())
  if (response.ok && isExpected(body)) {
    return body
  }
  throw toError(response, body)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A proxy's page or half an answer: as unexpected as JSON of another shape.
    return undefined
  }
}

function toError(response: Response, body: unknown): WombatError {
  const { status } = response
  const retryAfter = response.headers.get('retry-after') ?? ''
  const common = {
    status,
    retryAfterSeconds: /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined,
    requestId: response.headers.get('x-request-id') ?? undefined,
  }
  if (!response.ok && isErrorBody(body)) {
    const { message, code, details } = body
    return new WombatError(message, { ...common, requestId: body.requestId, code, details })
  }
  const message = response.ok
    ? `The server answered ${status} with something else than was asked for: is the address right?`
    : `The server answered ${status} without saying why: is the address right?`
  return new WombatError(message, { ...common, code: 'unexpected' })
}

function isErrorBody(body: unknown): body is ErrorBody {
  return (
    typeof body === 'object' &&
    body !== null &&
    'message' in body &&
    typeof body.message === 'string' &&
    'code' in body &&
    typeof body.code === 'string' &&
    'requestId' in body
  )
}
