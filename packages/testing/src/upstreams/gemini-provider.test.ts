import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import { createGeminiProvider, GEMINI_IMAGE_MODEL, type ImageProvider, type ProviderRequest } from '@wombat/generation'
import { type GeminiEmulator, startGeminiEmulator } from './gemini-emulator.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const KEY = 'AIza-emulated-0123456789'
const REQUEST: ProviderRequest = {
  ...PROVIDER_REQUEST,
  model: 'nano-banana-2',
  quality: 'standard',
  width: 1344,
  height: 768,
}
const never = new AbortController().signal
const reference = { bytes: createCanvas(32, 32).toBuffer('image/png'), contentType: 'image/png' as const }

describe('the Gemini provider', () => {
  let emulator: GeminiEmulator
  let provider: ImageProvider
  before(async () => {
    emulator = await startGeminiEmulator({ keys: [KEY] })
    provider = createGeminiProvider({ apiKey: KEY, baseUrl: emulator.origin, timeoutMs: 1500 })
  })
  afterEach(() => {
    emulator.setFault(undefined)
    emulator.setLatency(0)
    emulator.setThoughts(false)
  })
  after(() => emulator.close())

  it('asks for one picture in the words of the API and hands over its bytes, usage and cost', async () => {
    const image = await provider.generate(REQUEST, never)
    const sent = emulator.requests.at(-1)
    assert.deepEqual(sent?.body, {
      contents: [{ role: 'user', parts: [{ text: 'a red fox' }] }],
      generationConfig: { responseModalities: ['IMAGE'], imageConfig: { aspectRatio: '16:9', imageSize: '1K' } },
    })
    assert.equal(sent?.path, '/v1beta/models/gemini-3.1-flash-image:generateContent')
    assert.equal(GEMINI_IMAGE_MODEL, 'gemini-3.1-flash-image')
    assert.equal(sent?.headers['x-goog-api-key'], KEY)
    assert.equal(sent?.headers['content-type'], 'application/json')
    assert.equal(sent?.query.size, 0)
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1376, 768])
    assert.match(image.upstreamId ?? '', /^[\w-]{22}$/)
    assert.deepEqual(image.usage, {
      promptTokenCount: 3,
      candidatesTokenCount: 1120,
      thoughtsTokenCount: 0,
      totalTokenCount: 1123,
    })
    assert.equal(image.costMicroUsd, 67_200)
    assert.deepEqual([provider.name, provider.isPaid], ['gemini', true])
  })

  for (const [size, ratio, pixels] of [
    ['1024x1024', '1:1', '1024x1024'],
    ['1152x896', '5:4', '1152x928'],
    ['1216x832', '3:2', '1264x848'],
    ['1344x768', '16:9', '1376x768'],
    ['1536x640', '21:9', '1584x672'],
    ['640x1536', '9:16', '768x1376'],
    ['768x1344', '9:16', '768x1376'],
    ['832x1216', '2:3', '848x1264'],
    ['896x1152', '4:5', '928x1152'],
    ['1792x1008', '16:9', '1376x768'],
    ['1008x1792', '9:16', '768x1376'],
  ] as const) {
    it(`asks for ${ratio} at 1K when ${size} is wanted`, async () => {
      const [width = 0, height = 0] = size.split('x').map(Number)
      const image = await loadImage((await provider.generate({ ...REQUEST, width, height }, never)).bytes)
      const { generationConfig } = Object(emulator.requests.at(-1)?.body)
      assert.deepEqual(generationConfig.imageConfig, { aspectRatio: ratio, imageSize: '1K' })
      assert.equal(`${image.width}x${image.height}`, pixels)
    })
  }

  it('sends references inline, each with the type that its bytes have', async () => {
    const webp = createCanvas(8, 8).toBuffer('image/webp')
    const references = [reference, { bytes: webp, contentType: 'image/jpeg' as const }]
    const image = await provider.generate({ ...REQUEST, references }, never)
    const { contents } = Object(emulator.requests.at(-1)?.body)
    assert.deepEqual(contents[0].parts, [
      { text: 'a red fox' },
      { inlineData: { mimeType: 'image/png', data: reference.bytes.toString('base64') } },
      { inlineData: { mimeType: 'image/webp', data: webp.toString('base64') } },
    ])
    assert.equal(image.usage?.promptTokenCount, 3 + 2 * 1120)
    assert.equal(image.costMicroUsd, 67_200)
  })

  it('sends four references of 8 MB inline', async () => {
    const bytes = Buffer.concat([createCanvas(64, 64).toBuffer('image/jpeg'), Buffer.alloc(8 * 1024 * 1024, 0x5a)])
    const references = Array.from({ length: 4 }, () => ({ bytes, contentType: 'image/jpeg' as const }))
    const patient = createGeminiProvider({ apiKey: KEY, baseUrl: emulator.origin })
    const image = await patient.generate({ ...REQUEST, references }, never)
    assert.equal(image.usage?.promptTokenCount, 3 + 4 * 1120)
    const { contents } = Object(emulator.requests.at(-1)?.body)
    const sent = contents[0].parts.slice(1)
    assert.equal(sent.length, 4)
    for (const { inlineData } of sent) {
      assert.ok(Buffer.from(inlineData.data, 'base64').equals(bytes))
    }
  })

  it('takes no draft for the picture', async () => {
    emulator.setThoughts(true)
    const image = await provider.generate(REQUEST, never)
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1376, 768])
    assert.equal(image.usage?.thoughtsTokenCount, 300)
    assert.equal(image.costMicroUsd, 67_200)
  })

  it('reads an answer in snake_case', async () => {
    emulator.setFault('snake_case')
    assert.equal((await loadImage((await provider.generate(REQUEST, never)).bytes)).width, 1024)
  })

  it('checks for free whether it could serve', async () => {
    const open = (change: { apiKey?: string; model?: string; baseUrl?: string }) =>
      createGeminiProvider({ apiKey: KEY, baseUrl: emulator.origin, ...change })
    await open({ baseUrl: `${emulator.origin}/` }).check()
    const sent = emulator.requests.at(-1)
    assert.deepEqual([sent?.method, sent?.path, sent?.pictures], ['GET', '/v1beta/models/gemini-3.1-flash-image', 0])
    await assert.rejects(open({ model: 'gemini-3.1-flash-image-preview' }).check(), {
      failure: 'mistake',
      message: 'Gemini offers no model called gemini-3.1-flash-image-preview',
    })
    await assert.rejects(open({ apiKey: 'AIza-wrong' }).check(), { failure: 'credentials' })
    for (const [fault, failure] of [
      ['permission_denied', 'credentials'],
      ['unavailable', 'transient'],
      ['html', 'transient'],
      ['cut_off', 'transient'],
      ['reset_after_reading', 'transient'],
    ] as const) {
      emulator.setFault(fault)
      await assert.rejects(provider.check(), { name: 'ProviderError', failure }, fault)
    }
  })

  it('counts a cost only for the model whose price it knows', async () => {
    await using other = await startGeminiEmulator({ models: ['gemini-nano-banana-2.1'] })
    const newer = createGeminiProvider({ apiKey: KEY, baseUrl: other.origin, model: 'gemini-nano-banana-2.1' })
    const image = await newer.generate(REQUEST, never)
    assert.equal(image.costMicroUsd, undefined)
    assert.equal(image.usage?.candidatesTokenCount, 1120)
  })
})
