import type { JsonSchema, OpenApiDocument } from '@wombat/contract'

/* JSON Schema, as far as our own documents use it, in words and samples. */

export interface Field {
  readonly name: string
  readonly type: string
  readonly isRequired: boolean
  readonly description: string
}

/** The fields of an object, or of the objects of an array; none for everything else. */
export function fieldsOf(schema: JsonSchema, document: OpenApiDocument): Field[] {
  const target = resolve(schema, document)
  const items = asSchema(target.items)
  if (items !== undefined) {
    return fieldsOf(items, document)
  }
  const required: readonly unknown[] = Array.isArray(target.required) ? target.required : []
  return Object.entries(asSchema(target.properties) ?? {}).flatMap(([name, value]) => {
    const field = asSchema(value)
    return field === undefined
      ? []
      : [
          {
            name,
            type: describeType(field),
            isRequired: required.includes(name),
            description: typeof field.description === 'string' ? field.description : '',
          },
        ]
  })
}

/** "string", "whole number from 1 to 4", "null or one of a, b". */
export function describeType(schema: JsonSchema): string {
  const { $ref, anyOf, type, items } = schema
  if (typeof $ref === 'string') {
    return $ref.split('/').at(-1) ?? ''
  }
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const])
  if (Array.isArray(values)) {
    return values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map(String).join(', ')}`
  }
  if (Array.isArray(anyOf)) {
    return schemasIn(anyOf).map(describeType).join(' or ')
  }
  const inner = asSchema(items)
  if (type === 'array') {
    return inner === undefined ? 'array' : `array of ${describeType(inner)}`
  }
  const name = [type]
    .flat()
    .map((one) => NAMES[String(one)] ?? String(one))
    .join(' or ')
  return `${type === undefined ? 'anything' : name}${describeBounds(schema)}`
}

const NAMES: Readonly<Record<string, string>> = { integer: 'whole number', boolean: 'true or false' }
const FORMATS: Readonly<Record<string, string>> = { 'date-time': ' (a time)', uuid: ' (an id)', uri: ' (a URL)' }

function describeBounds({ minimum, maximum, format, maxLength }: JsonSchema): string {
  const from = minimum === undefined ? '' : ` from ${String(minimum)}`
  const to = maximum === undefined ? '' : ` to ${String(maximum)}`
  const length = maxLength === undefined ? '' : `, at most ${String(maxLength)} characters`
  return `${from}${to}${length}${FORMATS[String(format)] ?? ''}`
}

/** A body with what is required, or with one field to show. */
export function sampleOf(schema: JsonSchema, document: OpenApiDocument): unknown {
  const target = resolve(schema, document)
  const { type, anyOf, format } = target
  if (target.default !== undefined) {
    return target.default
  }
  if (Array.isArray(target.enum)) {
    return target.enum[0]
  }
  if (Array.isArray(anyOf)) {
    const [first] = schemasIn(anyOf)
    return first === undefined ? null : sampleOf(first, document)
  }
  if (type === 'object') {
    return sampleObject(target, document)
  }
  if (type === 'array') {
    return []
  }
  if (type === 'integer' || type === 'number') {
    return typeof target.minimum === 'number' && target.minimum > 0 ? target.minimum : 10
  }
  if (type === 'boolean') {
    return true
  }
  return SAMPLES[String(format)] ?? 'example'
}

const SAMPLES: Readonly<Record<string, string>> = {
  'date-time': '2030-01-31T18:00:00Z',
  uri: 'https://shop.example.com/hooks/images',
}

function sampleObject(schema: JsonSchema, document: OpenApiDocument): Record<string, unknown> {
  const properties = Object.entries(asSchema(schema.properties) ?? {})
  const required: readonly unknown[] = Array.isArray(schema.required) ? schema.required : []
  const needed = properties.filter(([name]) => required.includes(name))
  return Object.fromEntries(
    (needed.length === 0 ? properties.slice(0, 1) : needed).map(([name, value]) => [
      name,
      sampleOf(asSchema(value) ?? {}, document),
    ]),
  )
}

function resolve(schema: JsonSchema, { components }: OpenApiDocument): JsonSchema {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined
  return (name === undefined ? undefined : components.schemas[name]) ?? schema
}

function schemasIn(values: readonly unknown[]): JsonSchema[] {
  return values.filter(isSchema)
}

function asSchema(value: unknown): JsonSchema | undefined {
  return isSchema(value) ? value : undefined
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
