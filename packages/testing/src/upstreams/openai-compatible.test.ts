import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import {
  createOpenAiProvider,
  type FailureClass,
  type ImageProvider,
  ProviderError,
  type ProviderRequest,
} from '@wombat/generation'
import { type OpenAiEmulator, startOpenAiEmulator } from './openai-emulator.ts'
import type { OpenAiFault } from './openai-faults.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const MODEL = 'stablediffusion'
const never = new AbortController().signal

describe('the OpenAI provider at a compatible server', () => {
  let emulator: OpenAiEmulator
  let provider: ImageProvider
  let options: Parameters<typeof createOpenAiProvider>[0]
  before(async () => {
    emulator = await startOpenAiEmulator({ isCompatible: true, imageModels: [MODEL] })
    options = {
      apiKey: '',
      baseUrl: emulator.url,
      model: MODEL,
      isCompatible: true,
      allowPrivateLinks: true,
      timeoutMs: { fast: 1500 },
    }
    provider = createOpenAiProvider(options)
  })
  afterEach(() => {
    emulator.setFault(undefined)
    emulator.setPictureForm('base64')
  })
  after(() => emulator.close())

  const ordered = (): number => emulator.requests.filter(({ method }) => method === 'POST').length
  const fail = async (change: Partial<ProviderRequest> = {}, from = provider): Promise<ProviderError> => {
    const orderedBefore = ordered()
    const outcome: unknown = await from.generate({ ...PROVIDER_REQUEST, ...change }, never).catch((error) => error)
    assert.ok(outcome instanceof ProviderError, String(outcome))
    assert.ok(ordered() - orderedBefore <= 1, 'one call is at most one order')
    assert.ok(!outcome.message.includes('a red fox'), outcome.message)
    return outcome
  }

  it('sends what every server knows and nothing else, and needs no key', async () => {
    assert.equal(provider.name, 'openai-compatible')
    assert.equal(provider.isPaid, true)
    const image = await provider.generate(PROVIDER_REQUEST, never)
    const sent = emulator.requests.at(-1)
    assert.equal(sent?.path, '/v1/images/generations')
    assert.deepEqual(sent?.body, {
      model: MODEL,
      prompt: 'a red fox',
      size: '1536x1024',
      n: 1,
      response_format: 'b64_json',
    })
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [768, 512])
    assert.equal(image.costMicroUsd, undefined)
    assert.equal(image.usage, undefined)
  })

  it('knows no price, whatever the model is called', async () => {
    await using other = await startOpenAiEmulator({ isCompatible: true })
    const image = await createOpenAiProvider({ ...options, baseUrl: other.url, model: 'gpt-image-2' }).generate(
      PROVIDER_REQUEST,
      never,
    )
    assert.equal(image.costMicroUsd, undefined)
  })

  it('sends references as an edit with the same few fields', async () => {
    const bytes = createCanvas(32, 32).toBuffer('image/png')
    await provider.generate({ ...PROVIDER_REQUEST, references: [{ bytes, contentType: 'image/png' }] }, never)
    const sent = emulator.requests.at(-1)
    assert.equal(sent?.path, '/v1/images/edits')
    assert.deepEqual(Object.keys(Object(sent?.body)).sort(), ['model', 'n', 'prompt', 'response_format', 'size'])
    assert.equal(sent?.files?.[0]?.contentType, 'image/png')
  })

  for (const form of ['data_url', 'link', 'relative_link'] as const) {
    it(`takes a picture as ${form}`, async () => {
      emulator.setPictureForm(form)
      const jobs: string[] = []
      const onJob = async (job: string): Promise<void> => void jobs.push(job)
      const { bytes } = await provider.generate({ ...PROVIDER_REQUEST, onJob }, never)
      assert.equal((await loadImage(bytes)).width, 768)
      assert.equal(jobs.length, form === 'data_url' ? 0 : 1)
      assert.ok(jobs.every((job) => job.startsWith(`${emulator.origin}/generated-images/`)))
    })
  }

  it('keeps a link before it is followed, and goes on with it without a new order', async () => {
    emulator.setPictureForm('link')
    emulator.setFault('server_error', { path: '/generated-images/' })
    let job: string | undefined
    const onJob = async (link: string): Promise<void> => {
      assert.ok(!emulator.requests.some(({ path }) => link.endsWith(path)))
      job = link
    }
    const error = await fail({ onJob })
    assert.deepEqual([error.failure, error.isJobAlive], ['transient', true])
    emulator.setFault(undefined)
    const orderedBefore = ordered()
    const { bytes } = await provider.generate({ ...PROVIDER_REQUEST, job }, never)
    assert.equal((await loadImage(bytes)).height, 512)
    assert.equal(ordered(), orderedBefore)
  })

  it('goes on when its link can not be kept', async () => {
    emulator.setPictureForm('link')
    const onJob = () => Promise.reject(new Error('no database'))
    assert.ok((await provider.generate({ ...PROVIDER_REQUEST, onJob }, never)).bytes.length > 100)
  })

  it('follows no link to a private network unless it may', async () => {
    emulator.setPictureForm('link')
    const sentBefore = emulator.requests.length
    const error = await fail({}, createOpenAiProvider({ ...options, allowPrivateLinks: false }))
    assert.deepEqual([error.failure, error.isJobAlive], ['credentials', true])
    assert.equal(emulator.requests.length - sentBefore, 1)
  })

  const CLASSES: readonly (readonly [OpenAiFault, FailureClass])[] = [
    ['invalid_api_key', 'credentials'],
    ['invalid_value', 'mistake'],
    ['unprocessable', 'mistake'],
    ['rate_limit_seconds', 'throttled'],
    ['overloaded', 'transient'],
    ['bad_gateway_html', 'transient'],
    [{ status: 307, headers: { location: 'http://127.0.0.1:9/' }, error: { message: '', code: null } }, 'transient'],
    ['html', 'unknown'],
    ['empty', 'unknown'],
    ['no_picture', 'unknown'],
    ['not_a_picture', 'unknown'],
    ['cut_off', 'unknown'],
    ['hang_in_body', 'unknown'],
  ]
  for (const [fault, failure] of CLASSES) {
    it(`calls ${typeof fault === 'string' ? fault : fault.status} ${failure}`, async () => {
      emulator.setFault(fault)
      assert.equal((await fail()).failure, failure)
    })
  }

  it('does not repeat the prompt that a server quotes', async () => {
    emulator.setFault({ status: 400, error: { message: 'invalid prompt "a red fox": no such word', code: null } })
    assert.match((await fail()).message, /answered 400: invalid prompt "\[prompt\]$/)
    emulator.setFault(undefined)
    const error = await fail({ prompt: 'a #moderation fox' })
    assert.deepEqual([error.failure, error.reason], ['moderation', undefined])
  })

  it('is content with a server that has no list of models, and not with a wrong key', async () => {
    await provider.check()
    emulator.setFault('model_not_found')
    await provider.check()
    emulator.setFault('server_error')
    await assert.rejects(provider.check(), { failure: 'transient' })
    await using locked = await startOpenAiEmulator({ isCompatible: true, keys: ['sk-right'] })
    await assert.rejects(createOpenAiProvider({ ...options, baseUrl: locked.url }).check(), { failure: 'credentials' })
    await createOpenAiProvider({ ...options, baseUrl: locked.url, apiKey: 'sk-right' }).check()
    assert.throws(() => createOpenAiProvider({ apiKey: '', isCompatible: true }), /base URL/)
  })

  it('is emulated strictly', async () => {
    const order = { model: MODEL, prompt: 'a fox', n: 1, size: '512x512', response_format: 'b64_json' }
    const ask = async (change: Record<string, unknown>): Promise<number> => {
      const body = JSON.stringify({ ...order, ...change })
      const headers = { authorization: 'Bearer none' }
      return (await fetch(`${emulator.url}/images/generations`, { method: 'POST', headers, body })).status
    }
    assert.equal(await ask({}), 200)
    for (const change of [
      { quality: 'low' },
      { moderation: 'auto' },
      { user: 'x' },
      { output_format: 'png' },
      { n: 2 },
      { size: 'auto' },
      { response_format: 'url' },
      { model: 'other' },
    ]) {
      assert.equal(await ask(change), 400, JSON.stringify(change))
    }
  })
})
