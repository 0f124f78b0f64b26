import { z } from 'zod'
import { ApiError } from './errors.ts'
import type { Operation } from './operation.ts'

export interface Input<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject> {
  readonly params: z.output<P>
  readonly query: z.output<Q>
  readonly body: z.output<B>
}

/** What a client gives for a call: dates as texts. */
export interface Sending<O extends Operation> {
  readonly params?: Readonlies<z.input<O['params']>>
  readonly query?: Readonlies<z.input<O['query']>>
  readonly body?: Readonlies<z.input<O['body']>>
}

/** What a client gets for it. */
export type Answered<O extends Operation> = z.output<O['answer']>

/** What a server gives for it; it may be of rows that nobody changes. */
export type Answering<O extends Operation> = Readonlies<z.output<O['answer']>>

type Readonlies<T> = T extends Date | unknown[] | object
  ? T extends Date
    ? T
    : { readonly [Name in keyof T]: Readonlies<T[Name]> }
  : T

/** Reads what a client sent. Throws `invalid_request` with the first fault, and all of them in its details. */
export function readInput<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject>(
  operation: Operation<P, Q, B>,
  sent: { readonly params: unknown; readonly query: unknown; readonly body: unknown },
): Input<P, Q, B> {
  const params = operation.params.safeParse(sent.params)
  if (!params.success) {
    // An id that is none names nothing.
    const [fault] = params.error.issues.flatMap((issue) => toFaults(issue, operation.params))
    throw new ApiError('not_found', 'There is nothing at this address.', {
      details: { field: fault?.field, expected: fault?.expected },
    })
  }
  const query = operation.query.safeParse(sent.query)
  const body = operation.body.safeParse(sent.body)
  if (!query.success || !body.success) {
    throw invalidRequest([
      ...(query.error?.issues ?? []).flatMap((issue) => toFaults(issue, operation.query)),
      ...(body.error?.issues ?? []).flatMap((issue) => toFaults(issue, operation.body)),
    ])
  }
  return { params: params.data, query: query.data, body: body.data }
}

/** The answer as JSON has it. What its schema does not name is left out, so nothing gets out by accident. */
export function writeAnswer<O extends Operation>(operation: O, answer: Answering<O>): unknown {
  return z.encode(operation.answer, answer)
}

/** What a server answered. Undefined: it is something else. */
export function readAnswer<O extends Operation>(operation: O, json: unknown): Answered<O> | undefined {
  const read = z.safeParse(operation.answer, json)
  return read.success ? asAnswer<O>(read.data) : undefined
}

/** The schema of O has made it. */
function asAnswer<O extends Operation>(data: unknown) {
  return data as Answered<O>
}

interface Fault {
  readonly field: string
  readonly expected: string
  readonly message: string
}

function invalidRequest(faults: readonly Fault[]): ApiError {
  const [first] = faults
  return new ApiError('invalid_request', first?.message ?? 'The request is malformed.', {
    details: { field: first?.field, expected: first?.expected, issues: faults },
  })
}

type Issue = z.core.$ZodIssue

function toFaults(issue: Issue, schema: z.ZodObject): Fault[] {
  const place = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(schema.shape)
    const expected = known.length === 0 ? 'absent: this call takes no fields' : `one of ${known.join(', ')}`
    return issue.keys.map((key) => {
      const field = key.slice(0, 64).toWellFormed()
      return {
        field,
        expected,
        message: `${field} is no field of this call, which takes ${known.join(', ') || 'none'}.`,
      }
    })
  }
  const field = place === '' ? 'body' : place
  const expected = expectation(issue)
  return [{ field, expected, message: `${field} must be ${expected}.` }]
}

/** Completes "must be". */
function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    return TYPES[issue.expected] ?? issue.expected
  }
  if (issue.code === 'invalid_value') {
    return `one of ${issue.values.map(String).join(', ')}`
  }
  if (issue.code === 'too_small') {
    return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`
  }
  if (issue.code === 'too_big') {
    return `at most ${issue.maximum}${unitOf(issue.origin)}`
  }
  const known = issue.code === 'invalid_format' ? FORMATS[issue.format] : undefined
  return known ?? issue.message.replace(/^must be /, '')
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a JSON object',
  array: 'an array',
  date: 'a time such as 2030-01-31T18:00:00Z',
}

const FORMATS: Readonly<Record<string, string>> = {
  guid: 'an id such as 3f2b8c1e-5a47-4c0e-9d1b-2f6a7e8c9d01',
  datetime: 'a time such as 2030-01-31T18:00:00Z',
  safeint: 'a whole number',
}

function unitOf(origin: string): string {
  return origin === 'string' ? ' characters long' : origin === 'array' ? ' items long' : ''
}
