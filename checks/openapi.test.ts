/** /openapi.json and /docs: that the document is sound, and says what the server does. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { JsonSchema, OpenApiDocument } from '@wombat/contract'
import { startServer } from '../apps/server/src/server.ts'
import { callsOf, createAjv, relocate } from './openapi-tools.ts'
import { startTestServer } from './server-fixture.ts'

const TOKEN = 'check-secret-0123456789abcdef'
const server = await startTestServer({ role: 'api', env: { ADMIN_TOKEN: TOKEN, DEV_MODE: 'true' } })
after(() => server[Symbol.asyncDispose]())

const answer = await server.get('/openapi.json')
const document = answer.json as OpenApiDocument

const calls = callsOf(document)

/** All values of a name, however deep. */
function findAll(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) {
    return []
  }
  return Object.entries(value).flatMap(([key, inner]) => [...(key === name ? [inner] : []), ...findAll(inner, name)])
}

describe('the document', () => {
  test('is OpenAPI 3.1 with the address of the server, for everybody', () => {
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
    assert.match(document.openapi, /^3\.1\.\d$/)
    assert.deepEqual(document.servers, [{ url: server.url }])
    assert.match(document.info.version, /^\d+\.\d+\.\d+/)
  })

  test('every reference leads somewhere, and no schema is there for nothing', () => {
    const references = findAll(document, '$ref').map(String)
    assert.ok(references.length > 20)
    for (const reference of references) {
      const [, name = ''] = /^#\/components\/schemas\/(\w+)$/.exec(reference) ?? []
      assert.ok(Object.hasOwn(document.components.schemas, name), reference)
    }
    const used = new Set(references.map((reference) => reference.split('/').at(-1)))
    assert.deepEqual(
      Object.keys(document.components.schemas).filter((name) => !used.has(name)),
      [],
    )
    assert.deepEqual(findAll(document, '$defs'), [])
    assert.deepEqual(findAll(document, '$schema'), [])
  })

  test('every operation has an id of its own, a tag, and its parameters', () => {
    const ids = calls.map(({ operation }) => operation.operationId)
    assert.equal(new Set(ids).size, ids.length)
    const tags = document.tags.map(({ name }) => name)
    for (const { path, operation } of calls) {
      assert.match(operation.operationId, /^[a-z][A-Za-z]+$/)
      assert.ok(operation.tags.length === 1 && operation.tags.every((tag) => tags.includes(tag)))
      const placed = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const described = (operation.parameters ?? []).filter((one) => one.in === 'path')
      assert.deepEqual(
        described.map(({ name }) => name),
        placed,
        path,
      )
      assert.ok(described.every(({ required }) => required === true))
      const needed = operation.security.flatMap((one) => Object.keys(one))
      assert.ok(needed.every((name) => Object.hasOwn(document.components.securitySchemes, name)))
      assert.equal(needed[0] === 'adminToken', path.startsWith('/admin/v1/'))
    }
  })

  test('every schema is one, in the dialect of OpenAPI 3.1', () => {
    const ajv = createAjv()
    const schemas = findAll(document, 'schema') as JsonSchema[]
    assert.ok(schemas.length > 50)
    for (const schema of [...schemas, ...Object.values(document.components.schemas)]) {
      assert.ok(ajv.compile(relocate(schema, document)))
    }
  })

  test('every route of the server is in it, and nothing that is none', async () => {
    const routes: string[] = []
    const running = await startServer(server.engine, {
      onRoute: ({ method, url }) => routes.push(...[method].flat().map((one) => `${one} ${url}`)),
    })
    await running.stop({ graceMs: 0 })
    const known = routes
      .filter((route) => !route.startsWith('OPTIONS '))
      .map((route) => route.replaceAll(/:(\w+)/g, '{$1}'))
      .map((route) => (route.startsWith('DELETE /api/image/') ? route.replace('{name}', '{id}') : route))
      // One route for the image and its status, told apart by the extension.
      .flatMap((route) =>
        route.endsWith('/api/image/{name}')
          ? [route.replace('{name}', '{id}.jpg'), ...(route.startsWith('GET') ? ['GET /api/image/{id}.json'] : [])]
          : [route],
      )
    assert.ok(known.length > 35)
    assert.deepEqual(known.sort(), calls.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort())
  })

  test('what is off on a server is not in its document', async () => {
    await using plain = await startTestServer({ role: 'api', env: { METRICS: 'false' } })
    const text = (await plain.get('/openapi.json')).text
    assert.doesNotMatch(text, /admin|\/dev\/clock|AuditEntry|\/metrics/)
    assert.match(text, /\/api\/image-generation\//)
    assert.doesNotMatch((await plain.get('/docs')).text, /\/admin\/v1/)
  })

  test('a proxy in front is in its addresses', async () => {
    await using behind = await startTestServer({
      role: 'api',
      env: { PUBLIC_URL: 'https://images.example.com/koala/' },
    })
    const { servers } = (await behind.get('/openapi.json')).json as OpenApiDocument
    assert.deepEqual(servers, [{ url: 'https://images.example.com/koala' }])
  })
})

describe('the page', () => {
  test('shows every call with a sample, runs nothing and loads nothing', async () => {
    const page = await server.get('/docs')
    assert.equal(page.status, 200)
    assert.match(page.headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; /)
    assert.doesNotMatch(policy, /unsafe/)
    assert.doesNotMatch(page.text, /<script|<link|<img|\son\w+=|\sstyle=|javascript:|@import|url\(/i)
    const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(page.text) ?? []
    const hash = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(style))).toString('base64')
    assert.ok(policy.includes(`'sha256-${hash}'`), 'the browser lets its style in')
    for (const { path, operation } of calls) {
      assert.ok(page.text.includes(`id="${operation.operationId}"`), operation.operationId)
      assert.ok(page.text.includes(path), path)
    }
    assert.equal(page.text.match(/<pre>curl /g)?.length, calls.length)
    const targets = [...page.text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)
    assert.ok(targets.length > 20)
    for (const id of targets) {
      assert.ok(page.text.includes(`id="${id}"`), id)
    }
    const ids = [...page.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    assert.equal(new Set(ids).size, ids.length, 'no id comes twice')
    assert.match(page.text, /prefers-color-scheme:dark/)
  })

  test('an address with characters of HTML stays text', async () => {
    await using odd = await startTestServer({ role: 'api', env: { PUBLIC_URL: "http://localhost/a'b&c" } })
    const { text } = await odd.get('/docs')
    assert.match(text, /http:\/\/localhost\/a&#39;b&amp;c/)
    assert.doesNotMatch(text, /a'b/)
  })

  test('its samples are what the server takes', async () => {
    const ajv = createAjv()
    const { text } = await server.get('/docs')
    const bodies = [
      ...text.matchAll(/-X (POST|PATCH) &#39;[^&]*?(\/(?:admin|api|dev)[^&]*)&#39;[^<]*?-d &#39;(.*?)&#39;<\/pre>/g),
    ]
    assert.ok(bodies.length >= 8, String(bodies.length))
    for (const [, method = '', path = '', body = ''] of bodies) {
      const sample = JSON.parse(body.replaceAll('&quot;', '"'))
      const found = calls.find(
        (one) =>
          one.method.toUpperCase() === method &&
          one.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase()) === path,
      )
      const schema = found?.operation.requestBody?.content['application/json']?.schema
      assert.ok(schema !== undefined, path)
      const takes = ajv.compile(relocate(schema, document))
      assert.ok(takes(sample), `${path} ${body}: ${ajv.errorsText(takes.errors)}`)
    }
  })
})
