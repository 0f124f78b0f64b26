import { z } from 'zod'
import { ADMIN } from './admin-operations.ts'
import { ERROR_STATUS } from './errors.ts'
import type { Operation } from './operation.ts'
import { DEV_CALLS, errorSchema, METRICS_CALLS, PUBLIC_CALLS, type PublicCall } from './public-api.ts'

export interface OpenApiOptions {
  /** Where clients find the server. */
  readonly serverUrl: string
  readonly version: string
  /** Whether /admin/v1 is on. */
  readonly hasAdmin: boolean
  /** Whether /dev/clock is on. */
  readonly hasClock: boolean
  /** Whether /metrics is on. */
  readonly hasMetrics: boolean
}

export interface OpenApiParameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly description?: string
  readonly schema: JsonSchema
}

export interface OpenApiResponse {
  readonly description: string
  readonly headers?: Readonly<Record<string, object>>
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

export interface OpenApiOperation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly security: readonly object[]
  readonly parameters?: readonly OpenApiParameter[]
  readonly requestBody?: {
    readonly required: boolean
    readonly content: Readonly<Record<string, { readonly schema: JsonSchema; readonly example?: unknown }>>
  }
  readonly responses: Readonly<Record<string, OpenApiResponse>>
}

export type JsonSchema = Readonly<Record<string, unknown>>

export interface OpenApiDocument {
  readonly openapi: '3.1.1'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>>; readonly securitySchemes: object }
}

/** OpenAPI 3.1 of what a server answers, made from the schemas that it checks with. */
export function openApiDocument({
  serverUrl,
  version,
  hasAdmin,
  hasClock,
  hasMetrics,
}: OpenApiOptions): OpenApiDocument {
  const schemas: Record<string, JsonSchema> = {}
  const toSchema = collector(schemas)
  const calls = [...PUBLIC_CALLS, ...(hasMetrics ? METRICS_CALLS : []), ...(hasClock ? DEV_CALLS : [])]
  const entries = [
    ...calls.map((call) => ({ path: call.path, method: call.method, operation: describeCall(call, toSchema) })),
    ...(hasAdmin ? Object.values<Operation>(ADMIN) : []).map((one) => ({
      path: one.path,
      method: one.method.toLowerCase(),
      operation: describeOperation(one, toSchema),
    })),
  ]
  const paths: Record<string, Record<string, OpenApiOperation>> = {}
  for (const { path, method, operation } of entries) {
    paths[path] = { ...paths[path], [method]: operation }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Wombat',
      version,
      description: 'A self-hosted server that answers the KoalaImages API.',
    },
    servers: [{ url: serverUrl }],
    tags: [...new Set(entries.flatMap(({ operation }) => operation.tags))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'A key of an account.' },
        ...(hasAdmin ? { adminToken: { type: 'http', scheme: 'bearer', description: 'A token of ADMIN_TOKEN.' } } : {}),
      },
    },
  }
}

type ToSchema = (schema: z.ZodType) => JsonSchema

/** As JSON has it on the wire. Schemas with an id go to the components, once. */
function collector(schemas: Record<string, JsonSchema>): ToSchema {
  return (schema) => {
    const { $schema: _, $defs = {}, ...rest } = z.toJSONSchema(schema, { io: 'input', override: forgetSafeIntegers })
    for (const [name, definition] of Object.entries($defs)) {
      schemas[name] = tidy(definition)
    }
    const { id } = rest
    if (typeof id !== 'string') {
      return tidy(rest)
    }
    schemas[id] = tidy(rest)
    return { $ref: `#/components/schemas/${id}` }
  }
}

/** Bounds of JavaScript, not of ours. */
function forgetSafeIntegers({ jsonSchema }: { jsonSchema: { minimum?: number; maximum?: number } }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) {
    delete jsonSchema.minimum
  }
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) {
    delete jsonSchema.maximum
  }
}

/** References lead to the components, and a name is where a schema stands, not in it. */
function tidy(schema: object): JsonSchema {
  const { id: _, ...rest } = { id: undefined, ...schema }
  return JSON.parse(JSON.stringify(rest).replaceAll('"#/$defs/', '"#/components/schemas/'))
}

function describeCall(call: PublicCall, toSchema: ToSchema): OpenApiOperation {
  const { id, tag, summary, description, isOpen, parameters = [], body, answer, contentTypes, headers, example } = call
  const content =
    answer === undefined
      ? Object.fromEntries((contentTypes ?? []).map((type) => [type, { schema: {} }]))
      : { 'application/json': { schema: toSchema(answer) } }
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: isOpen ? [] : [{ apiKey: [] }],
    ...(parameters.length === 0 ? {} : { parameters: parameters.map(asParameter) }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, ...jsonContent(toSchema(body), example && JSON.parse(example)) } }),
    responses: {
      [call.status]: {
        description: summary,
        ...(headers === undefined ? {} : { headers: describeHeaders(headers) }),
        ...(Object.keys(content).length === 0 ? {} : { content }),
      },
      ...describeErrors(call.errors, toSchema),
      ...(id === 'isReady' && answer !== undefined
        ? { 503: { description: 'It can not do its work.', ...jsonContent(toSchema(answer)) } }
        : {}),
    },
  }
}

/** Written by hand, in the shape that OpenAPI has. */
function asParameter(parameter: object) {
  return parameter as OpenApiParameter
}

/** What every call of the admin API may meet. */
const ADMIN_ERRORS = [400, 401, 429]

function describeOperation(operation: Operation, toSchema: ToSchema): OpenApiOperation {
  const { id, tag, summary, description, params, query, body, answer, status, errors } = operation
  const parameters = [...describeParameters('path', params, toSchema), ...describeParameters('query', query, toSchema)]
  const bodyFields = Object.keys(body.shape).length
  const contentType = answer.meta()?.contentType
  return {
    operationId: id,
    tags: [`Admin: ${tag}`],
    summary,
    ...(description === undefined ? {} : { description }),
    security: [{ adminToken: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(bodyFields === 0
      ? {}
      : { requestBody: { required: !body.safeParse({}).success, ...jsonContent(toSchema(body)) } }),
    responses: {
      [status]: {
        description: summary,
        content: {
          [typeof contentType === 'string' ? contentType : 'application/json']: {
            schema: typeof contentType === 'string' ? { type: 'string' } : toSchema(answer),
          },
        },
      },
      ...describeErrors([...ADMIN_ERRORS, ...errors.map((code) => ERROR_STATUS[code])], toSchema),
    },
  }
}

function describeParameters(place: 'path' | 'query', fields: z.ZodObject, toSchema: ToSchema): OpenApiParameter[] {
  const { properties = {}, required = [] } = toSchema(fields) as {
    properties?: Record<string, JsonSchema>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(typeof description === 'string' ? { description } : {}),
    schema,
  }))
}

function describeErrors(statuses: readonly number[], toSchema: ToSchema): Record<string, OpenApiResponse> {
  const schema = toSchema(errorSchema)
  return Object.fromEntries(
    [...new Set(statuses)].map((status) => {
      const codes = Object.entries(ERROR_STATUS).filter((entry) => entry[1] === status)
      return [status, { description: codes.map(([code]) => code).join(', '), ...jsonContent(schema) }]
    }),
  )
}

function describeHeaders(headers: Readonly<Record<string, string>>): Record<string, object> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
  )
}

function jsonContent(schema: JsonSchema, example?: unknown) {
  return { content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } } }
}
