import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type OpenApiDocument, openApiDocument } from '@wombat/contract'
import type { Engine } from '@wombat/engine'
import type { FastifyInstance } from 'fastify'
import { renderReference, STYLE } from './reference-page.ts'

/** The page runs nothing and loads nothing, so nothing else is allowed to. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** /openapi.json, and the same as a page at /docs. What is off on this server is in neither. */
export function registerReference(app: FastifyInstance, { engine }: { engine: Engine }): void {
  let made: { document: string; page: string } | undefined
  // The server learns its own address only when it listens.
  const reference = () => {
    if (made === undefined) {
      const document = describe(engine)
      made = { document: JSON.stringify(document), page: renderReference(document) }
    }
    return made
  }
  app.get('/openapi.json', async (_request, reply) => {
    reply.headers({
      'content-type': 'application/json; charset=utf-8',
      'access-control-allow-origin': '*',
      'cache-control': 'no-cache',
    })
    return reference().document
  })
  app.get('/docs', async (_request, reply) => {
    reply.headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-cache',
    })
    return reference().page
  })
}

function describe({ config, publicUrl }: Engine): OpenApiDocument {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return openApiDocument({
    serverUrl: publicUrl,
    version: String(version),
    hasAdmin: config.ADMIN_TOKEN.length > 0,
    hasClock: config.DEV_MODE,
    hasMetrics: config.METRICS,
  })
}
