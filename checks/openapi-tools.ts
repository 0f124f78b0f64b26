import type { JsonSchema, OpenApiDocument, OpenApiOperation } from '@wombat/contract'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

export interface Call {
  readonly path: string
  readonly method: string
  readonly operation: OpenApiOperation
}

export function callsOf(document: OpenApiDocument): Call[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
}

export function createAjv() {
  // Strict is about what our schemas may say, not about what they mean.
  const ajv = new Ajv2020({
    strict: true,
    allowUnionTypes: true,
    strictTuples: false,
    strictTypes: false,
    strictRequired: false,
  })
  formats.default(ajv)
  return ajv
}

/** A schema that stands alone, with the components that it refers to. */
export function relocate(schema: JsonSchema, document: OpenApiDocument): JsonSchema {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas })
  return JSON.parse(text.replaceAll('"#/components/schemas/', '"#/$defs/'))
}
