/** That the answers of the server are those that /openapi.json tells of. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { JsonSchema, OpenApiDocument } from '@wombat/contract'
import { finishNow, idOf, orderOne, query as runSql } from './image-tools.ts'
import { callsOf, createAjv, relocate } from './openapi-tools.ts'
import { startTestServer } from './server-fixture.ts'

const TOKEN = 'check-secret-0123456789abcdef'
const server = await startTestServer({ role: 'api', env: { ADMIN_TOKEN: TOKEN, DEV_MODE: 'true' } })
after(() => server[Symbol.asyncDispose]())

const document = (await server.get('/openapi.json')).json as OpenApiDocument
const calls = callsOf(document)

interface Sent {
  readonly params?: Record<string, string>
  readonly query?: string
  readonly body?: unknown
  readonly key?: string
}

const ajv = createAjv()
const called = new Set<string>()

/** Calls an operation and holds its answer to the document: the status, the type, the schema. */
// biome-ignore lint/suspicious/noExplicitAny: the answers are what is tested.
async function call(id: string, { params = {}, query = '', body, key = TOKEN }: Sent = {}): Promise<any> {
  const found = calls.find(({ operation }) => operation.operationId === id)
  assert.ok(found !== undefined, id)
  called.add(id)
  const path = found.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '')
  const got = await server.get(`${path}${query}`, {
    method: found.method.toUpperCase(),
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const response = found.operation.responses[String(got.status)]
  assert.ok(response !== undefined, `${id} answered ${got.status}, which it does not name: ${got.text}`)
  const content = Object.entries(response.content ?? {})
  if (content.length === 0) {
    assert.equal(got.text, '')
    return undefined
  }
  const type = (got.headers.get('content-type') ?? '').split(';')[0] ?? ''
  const media = content.find(([name]) => name === type)
  assert.ok(media !== undefined, `${id} answered ${type}`)
  if (type !== 'application/json') {
    return got.text
  }
  const matches = ajv.compile(relocate(closed(media[1].schema), document))
  assert.ok(matches(got.json), `${id}: ${ajv.errorsText(matches.errors)} in ${got.text}`)
  const sent = found.operation.requestBody?.content['application/json']?.schema
  if (sent !== undefined && got.status < 400) {
    const takes = ajv.compile(relocate(sent, document))
    assert.ok(takes(body ?? {}), `${id} took what its schema refuses: ${ajv.errorsText(takes.errors)}`)
  }
  return got.json
}

/** An answer has what its schema names and nothing else. */
function closed(schema: JsonSchema): JsonSchema {
  return schema.type === 'object' && schema.additionalProperties === undefined
    ? { ...schema, additionalProperties: false }
    : schema
}

describe('the answers of the server are those of the document', () => {
  test('of the public API', async () => {
    const key = server.apiKey
    const [{ url }] = await call('generateImages', { key, body: { prompt: 'cat', numImages: 1, size: '16:9' } })
    const id = idOf(url)
    await call('getImageStatus', { params: { id } })
    await finishNow(server.engine, id, 'image/jpeg')
    await call('getImage', { params: { id } })
    await call('headImage', { params: { id } })
    await call('getImageStatus', { params: { id } })
    await call('getImage', { params: { id: 'v2-aaaaaaaaa-bbbbbbbbb' } })
    await call('generateImages', { key: 'no-such-key-0123456789', body: { prompt: 'cat' } })
    await call('generateImages', { key, body: { prompt: '' } })
    await call('generateImages', { key, body: { prompt: 'cat', numImages: 9 } })
    const dry = await call('generateImages', { key, query: '?dryRun=1', body: { prompt: 'cat' } })
    assert.equal(dry.dryRun, true)
    await call('cancelImage', { key, params: { id } })
    const [waiting] = await call('generateImages', { key, body: { prompt: 'cat', numImages: 1 } })
    const waitingId = { id: idOf(waiting.url) }
    await call('cancelImage', { key, params: waitingId })
    await call('cancelImage', { key, params: { id: 'v2-aaaaaaaaa-bbbbbbbbb' } })
    await call('getImageStatus', { params: waitingId })
    for (const one of ['getMetrics', 'isLive', 'isReady', 'index', 'getOpenApi', 'getDocs', 'getClock']) {
      await call(one)
    }
    await call('advanceClock', { body: { advance: '1s' } })
    await call('advanceClock', { body: { advance: 'soon' } })
  })

  test('of the admin API', async () => {
    const { accountId, keyId } = await call('createAccount', {
      body: { name: 'Ann', credits: 30, plan: 'professional' },
    })
    const account = { accountId }
    await call('listAccounts', { query: '?limit=1' })
    await call('showAccount', { params: account })
    await call('changeAccount', { params: account, body: { rateLimitPerMinute: 100 } })
    await call('disableAccount', { params: account })
    await call('enableAccount', { params: account })
    const made = await call('createKey', {
      params: account,
      body: {
        name: 'x',
        expiresAt: '2099-01-01T00:00:00Z',
        allowedNetworks: ['::1/128', '127.0.0.1'],
        allowedModels: ['premium'],
      },
    })
    await call('changeKey', { params: { keyId: made.keyId }, body: { expiresAt: null, allowedModels: [] } })
    await call('listKeys', { params: account })
    await call('revokeKey', { params: { keyId } })
    await call('listPlans')
    await call('createPlan', { body: { name: 'small', isProfessional: false, concurrency: 2 } })
    await call('createPlan', { body: { name: 'small', isProfessional: false } })
    await call('showPlan', { params: { plan: 'small' } })
    await call('changePlan', { params: { plan: 'small' }, body: { deadlineHours: 1.5 } })
    await call('deletePlan', { params: { plan: 'small' } })
    await call('grantCredits', { params: account, body: { credits: 5, ref: 'a' } })
    await call('adjustCredits', { params: account, body: { credits: -500 } })
    await call('adjustCredits', { params: account, body: { credits: -5 } })
    await call('listEntries', { params: account, query: '?limit=1' })
    await call('verifyLedger')
    const images = await Promise.all(
      [1, 2].map(async () => (await server.post({ prompt: 'cat' }, { key: made.apiKey })).images),
    )
    const [first = '', second = ''] = images.flat().map(({ url }) => idOf(url))
    await call('listImages', { query: '?limit=1&status=queued' })
    await call('showImage', { params: { imageId: first } })
    await call('retryImage', { params: { imageId: first } })
    await finishNow(server.engine, first, 'image/png')
    await call('retryImage', { params: { imageId: first } })
    await call('showImage', { params: { imageId: first } })
    await call('cancelWaitingImage', { params: { imageId: second } })
    await call('cancelWaitingImage', { params: { imageId: first } })
    await call('eraseImage', { params: { imageId: second } })
    for (const by of ['account', 'key', 'model', 'day', 'route', 'tag:team']) {
      await call('usage', { query: `?by=${by}` })
      await call('usageCsv', { query: `?by=${by}` })
    }
    const url = 'https://shop.example.com/hooks/images'
    const { webhookId } = await call('createWebhook', { params: account, body: { url } })
    const hook = { webhookId }
    await call('createWebhook', { params: account, body: { url: 'http://10.0.0.1/' } })
    await call('listWebhooks', { query: '?limit=1' })
    await call('showWebhook', { params: hook })
    await call('changeWebhook', { params: hook, body: { url: 'http://shop.example.com/' } })
    await call('rotateWebhookSecret', { params: hook, body: { overlapHours: 0.5 } })
    await call('showWebhook', { params: hook })
    await call('cancelWaitingImage', {
      params: { imageId: await orderOne({ post: (body) => server.post(body, { key: made.apiKey }) }) },
    })
    const { items } = await call('listDeliveries', { params: hook, query: '?status=pending' })
    await call('retryDelivery', { params: { deliveryId: items[0].deliveryId } })
    await call('disableWebhook', { params: hook })
    await call('retryDelivery', { params: { deliveryId: items[0].deliveryId } })
    await call('enableWebhook', { params: hook })
    await runSql(server.databaseUrl, `UPDATE webhooks SET url = 'http://127.0.0.1:9/'`)
    await call('testWebhook', { params: hook })
    await call('deleteWebhook', { params: hook })
    await call('listRoutes')
    await call('resumeRoute', { params: { route: 'synthetic' } })
    await call('eraseAccount', { params: account })
    await call('listAudit', { query: '?limit=1000' })
    await call('showAccount', { params: { accountId: 'nobody' } })
    await call('listAccounts', { query: '?limt=1' })
    await call('listAccounts', { key: 'wrong' })
  })

  test('each call was tried', () => {
    assert.deepEqual(
      calls.map(({ operation }) => operation.operationId).filter((id) => !called.has(id)),
      [],
    )
  })
})
