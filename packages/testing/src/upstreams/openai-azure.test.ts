import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import { createOpenAiProvider, type FailureClass, type ImageProvider, ProviderError } from '@wombat/generation'
import { type OpenAiEmulator, startOpenAiEmulator } from './openai-emulator.ts'
import type { OpenAiFault } from './openai-faults.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const KEY = '0123456789abcdef0123456789abcdef'
const AZURE = { apiVersion: '2025-04-01-preview', deployment: 'my pictures' }
const never = new AbortController().signal

describe('the OpenAI provider at Azure', () => {
  let emulator: OpenAiEmulator
  let provider: ImageProvider
  before(async () => {
    // Nothing of this may show.
    process.env.OPENAI_CUSTOM_HEADERS = 'x-secret: abc\nauthorization: Bearer of-another\napi-key: of-another'
    process.env.OPENAI_BASE_URL = 'http://wombat.invalid/v1'
    process.env.OPENAI_API_VERSION = '2020-01-01'
    process.env.OPENAI_ORG_ID = 'org-of-another'
    emulator = await startOpenAiEmulator({ keys: [KEY], azure: AZURE })
    provider = createOpenAiProvider({
      apiKey: KEY,
      baseUrl: `${emulator.url}/`,
      azure: AZURE,
      timeoutMs: { fast: 1500 },
    })
  })
  afterEach(() => emulator.setFault(undefined))
  after(() => emulator.close())

  const fail = async (): Promise<ProviderError> => {
    const sentBefore = emulator.requests.length
    const outcome: unknown = await provider.generate(PROVIDER_REQUEST, never).catch((error: unknown) => error)
    assert.ok(outcome instanceof ProviderError, String(outcome))
    assert.equal(emulator.requests.length - sentBefore, 1)
    assert.ok(!outcome.message.includes(KEY), outcome.message)
    return outcome
  }

  it('asks the deployment for a picture, with the key in its own header and nothing from the environment', async () => {
    assert.equal(provider.name, 'azure-openai')
    assert.equal(provider.isPaid, true)
    const image = await provider.generate(PROVIDER_REQUEST, never)
    const sent = emulator.requests.at(-1)
    assert.equal(sent?.path, '/openai/deployments/my%20pictures/images/generations')
    assert.equal(String(sent?.query), 'api-version=2025-04-01-preview')
    assert.equal(sent?.headers['api-key'], KEY)
    for (const name of ['authorization', 'x-secret', 'openai-organization']) {
      assert.equal(sent?.headers[name], undefined)
    }
    assert.deepEqual(sent?.body, {
      model: 'gpt-image-2',
      prompt: 'a red fox',
      size: '1536x1024',
      n: 1,
      quality: 'low',
      output_format: 'jpeg',
      user: 'user-hash',
    })
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1536, 1024])
    assert.equal(image.usage?.output_tokens, 153)
  })

  it('takes nothing from the environment at OpenAI either', async () => {
    await using openAi = await startOpenAiEmulator({ keys: [KEY] })
    await createOpenAiProvider({ apiKey: KEY, baseUrl: openAi.url }).generate(PROVIDER_REQUEST, never)
    const sent = openAi.requests.at(-1)?.headers
    assert.equal(sent?.authorization, `Bearer ${KEY}`)
    assert.deepEqual(
      [sent?.['x-secret'], sent?.['api-key'], sent?.['openai-organization']],
      [undefined, undefined, undefined],
    )
  })

  it('sends references as an edit of the deployment', async () => {
    const bytes = createCanvas(32, 32).toBuffer('image/png')
    await provider.generate({ ...PROVIDER_REQUEST, references: [{ bytes, contentType: 'image/png' }] }, never)
    const sent = emulator.requests.at(-1)
    assert.equal(sent?.path, '/openai/deployments/my%20pictures/images/edits')
    assert.equal(sent?.query.get('api-version'), AZURE.apiVersion)
    assert.deepEqual(
      sent?.files?.map(({ contentType }) => contentType),
      ['image/png'],
    )
  })

  const CLASSES: readonly (readonly [OpenAiFault, FailureClass, string | undefined])[] = [
    ['azure_prompt_filter', 'moderation', 'self_harm'],
    ['azure_picture_filter', 'moderation', undefined],
    ['azure_inner_filter', 'moderation', 'violence'],
    ['moderation', 'moderation', 'sexual'],
    ['azure_wrong_key', 'credentials', undefined],
    ['azure_blocked', 'credentials', undefined],
    ['azure_no_deployment', 'mistake', undefined],
    ['invalid_value', 'mistake', undefined],
    ['azure_throttled', 'throttled', undefined],
    ['server_error', 'transient', undefined],
    ['html', 'unknown', undefined],
    ['cut_off', 'unknown', undefined],
    ['reset_after_reading', 'unknown', undefined],
    ['hang', 'unknown', undefined],
  ]
  for (const [fault, failure, reason] of CLASSES) {
    it(`calls ${String(fault)} ${failure}`, async () => {
      emulator.setFault(fault)
      const error = await fail()
      assert.equal(error.failure, failure)
      assert.equal(error.reason, reason)
      assert.match(error.message, /Azure OpenAI/)
    })
  }

  it('waits as long as it is told in words', async () => {
    emulator.setFault('azure_throttled')
    assert.equal((await fail()).retryAfterMs, 26_000)
  })

  it('checks key and version for free, whatever the deployments are called', async () => {
    await provider.check()
    assert.equal(emulator.requests.at(-1)?.path, '/openai/models')
    assert.equal(emulator.requests.at(-1)?.query.get('api-version'), AZURE.apiVersion)
    const { url: baseUrl } = emulator
    await assert.rejects(createOpenAiProvider({ apiKey: 'wrong', baseUrl, azure: AZURE }).check(), {
      failure: 'credentials',
    })
    const old = { ...AZURE, apiVersion: '2023-01-01' }
    await assert.rejects(createOpenAiProvider({ apiKey: KEY, baseUrl, azure: old }).check(), { failure: 'mistake' })
  })

  it('is nothing without an endpoint, nor both Azure and compatible', () => {
    assert.throws(() => createOpenAiProvider({ apiKey: KEY, azure: AZURE }), /base URL/)
    assert.throws(
      () => createOpenAiProvider({ apiKey: KEY, baseUrl: emulator.url, azure: AZURE, isCompatible: true }),
      /either/,
    )
  })

  it('is emulated strictly', async () => {
    const ask = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await fetch(emulator.url + path, { method: 'POST', headers, body: '{}' })).status
    const path = '/openai/deployments/my%20pictures/images/generations'
    const key = { 'api-key': KEY }
    assert.equal(await ask(`${path}?api-version=${AZURE.apiVersion}`, key), 400)
    assert.equal(await ask(path, key), 404)
    assert.equal(await ask(`${path}?api-version=2024-01-01`, key), 404)
    assert.equal(await ask(`${path.replace('my', 'your')}?api-version=${AZURE.apiVersion}`, key), 404)
    assert.equal(await ask(`/v1/images/generations?api-version=${AZURE.apiVersion}`, key), 404)
    assert.equal(await ask(`${path}?api-version=${AZURE.apiVersion}`, { authorization: `Bearer ${KEY}` }), 401)
    assert.equal(await ask(`${path}?api-version=${AZURE.apiVersion}`, { ...key, authorization: 'Bearer x' }), 401)
  })
})
