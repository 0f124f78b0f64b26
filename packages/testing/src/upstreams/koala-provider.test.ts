import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import { createKoalaProvider, type FailureClass, type ImageProvider, type KoalaOptions } from '@wombat/generation'
import { type KoalaEmulator, startKoalaEmulator } from './koala-emulator.ts'
import type { KoalaFault } from './koala-faults.ts'
import { KEY, mend, never, newRequest, startKoalaStage } from './koala-stage.fixture.ts'

const ORDER = { path: '/api/image-generation/' }
const PICTURE = { path: '/api/image/' }

describe('the Koala provider', () => {
  let stage: Awaited<ReturnType<typeof startKoalaStage>>
  let emulator: KoalaEmulator
  let provider: ImageProvider
  let options: KoalaOptions & { baseUrl: string }
  before(async () => {
    stage = await startKoalaStage()
    emulator = stage.emulator
    provider = stage.provider
    options = stage.options
  })
  afterEach(() => mend(emulator))
  after(() => emulator.close())

  it('orders one picture in the words of the API, as it is, and hands over its bytes and credits', async () => {
    const image = await provider.generate(newRequest(), never)
    const sent = stage.orders().at(-1)
    assert.deepEqual(sent?.body, {
      prompt: 'a red fox',
      model: 'gpt-image-2',
      quality: 'fast',
      size: '1536x1024',
      numImages: 1,
      style: 'none',
      enhancePrompt: 'off',
    })
    assert.equal(sent?.path, '/api/image-generation/')
    assert.equal(sent?.headers.authorization, `Bearer ${KEY}`)
    const { width, height } = await loadImage(image.bytes)
    assert.deepEqual([width, height], [1536, 1024])
    assert.match(image.upstreamId ?? '', /^v2-\w+-\w+$/)
    assert.deepEqual(image.usage, { credits: 1 })
    assert.equal(image.costMicroUsd, undefined)
    assert.deepEqual([provider.name, provider.isPaid], ['koala', true])
  })

  it('sends no key with the GET of a picture', () => {
    const got = emulator.requests.filter(({ method }) => method === 'GET')
    assert.ok(got.length > 0 && got.every(({ headers }) => headers.authorization === undefined))
  })

  for (const model of ['ideogram-3.0', 'nano-banana-2', 'standard', 'premium'] as const) {
    it(`orders ${model} without a quality, for it has no choice, and never as an original`, async () => {
      const quality = model === 'ideogram-3.0' ? 'turbo' : 'standard'
      await provider.generate(
        newRequest({ model, quality, width: 1536, height: 640, isOriginalPreserved: true }),
        never,
      )
      const body = Object(stage.orders().at(-1)?.body)
      assert.deepEqual([body.model, body.quality, body.preserveOriginal], [model, undefined, undefined])
    })
  }

  it('orders each of the listed sizes and gets it', async () => {
    const sizes = [
      ...['1024x1024', '1152x896', '1216x832', '1344x768', '1536x640', '640x1536'],
      ...['768x1344', '832x1216', '896x1152', '1792x1008', '1008x1792'],
    ]
    for (const size of sizes) {
      const [width = 0, height = 0] = size.split('x').map(Number)
      const { bytes } = await provider.generate(
        newRequest({ model: 'nano-banana-2', quality: 'standard', width, height }),
        never,
      )
      const picture = await loadImage(bytes)
      assert.equal(`${picture.width}x${picture.height}`, size)
    }
  })

  it('hands references on as URLs, and asks for the original', async () => {
    const referenceUrls = ['https://pictures.example/a.png', 'https://pictures.example/b.png']
    const { bytes } = await provider.generate(
      newRequest({ referenceUrls, isOriginalPreserved: true, quality: 'high' }),
      never,
    )
    const body = Object(stage.orders().at(-1)?.body)
    assert.deepEqual(body.referenceImages, referenceUrls)
    assert.equal(body.preserveOriginal, true)
    assert.equal(bytes.toString('latin1', 1, 4), 'PNG')
  })

  const ORDER_CLASSES: readonly (readonly [KoalaFault, FailureClass, number?])[] = [
    ['invalid_request', 'mistake'],
    ['not_found', 'mistake'],
    ['payload_too_large', 'mistake'],
    ['unauthorized', 'credentials'],
    ['insufficient_credits', 'credentials'],
    ['plan_required', 'credentials'],
    ['account_disabled', 'credentials'],
    ['moderation_refused', 'moderation'],
    ['bad_reference', 'bad_reference'],
    ['rate_limited', 'throttled', 7000],
    ['request_timeout', 'transient'],
    ['idempotency_conflict', 'transient'],
    ['internal_error', 'transient'],
    ['overloaded', 'transient', 4000],
    ['bad_gateway_html', 'unknown'],
    ['moved', 'transient'],
    [{ status: 418, code: 'odd', message: 'odd' }, 'transient'],
    ['html', 'unknown'],
    ['empty', 'unknown'],
    ['empty_array', 'unknown'],
    ['empty_object', 'unknown'],
    ['no_url', 'unknown'],
    ['bad_url', 'unknown'],
    ['cut_off', 'unknown'],
    ['reset_before_reading', 'unknown'],
    ['reset_after_reading', 'unknown'],
    ['hang', 'unknown'],
    ['hang_in_body', 'unknown'],
  ]
  for (const [fault, failure, retryAfterMs] of ORDER_CLASSES) {
    it(`calls ${typeof fault === 'string' ? fault : fault.status} of an order ${failure}`, async () => {
      emulator.setFault(fault, ORDER)
      const sentBefore = emulator.requests.length
      const error = await stage.fail()
      assert.deepEqual([error.failure, error.isJobAlive], [failure, false])
      assert.equal(error.retryAfterMs, retryAfterMs)
      assert.equal(emulator.requests.length - sentBefore, 1)
    })
  }

  const PICTURE_CLASSES: readonly (readonly [KoalaFault, FailureClass, boolean, number?])[] = [
    ['moderation_refused', 'moderation', false],
    ['bad_reference', 'bad_reference', false],
    [{ status: 422, code: 'odd', message: 'odd' }, 'moderation', false],
    ['not_found', 'transient', false],
    ['generation_failed', 'transient', false],
    ['not_a_picture', 'unknown', false],
    ['html', 'unknown', false],
    ['empty', 'unknown', false],
    ['internal_error', 'transient', true],
    ['bad_gateway_html', 'transient', true],
    ['overloaded', 'transient', true, 4000],
    ['rate_limited', 'transient', true, 7000],
    ['unauthorized', 'transient', true],
    ['account_disabled', 'transient', true],
    [{ status: 202, code: 'odd', message: 'odd' }, 'transient', true],
    ['endless_redirect', 'transient', true],
    ['redirect_to_nowhere', 'transient', true],
    ['cut_off_picture', 'transient', true],
    ['reset_in_body', 'transient', true],
    ['reset_after_reading', 'transient', true],
    ['hang', 'transient', true],
    ['hang_in_body', 'transient', true],
  ]
  for (const [fault, failure, isJobAlive, retryAfterMs] of PICTURE_CLASSES) {
    it(`calls ${typeof fault === 'string' ? fault : fault.status} of a picture ${failure}`, async () => {
      emulator.setFault(fault, PICTURE)
      const error = await stage.fail()
      assert.deepEqual([error.failure, error.isJobAlive], [failure, isJobAlive])
      assert.equal(error.retryAfterMs, retryAfterMs)
      assert.match(error.message, /Koala/)
    })
  }

  it('names a category of a refusal only when the upstream does', async () => {
    const refused = await stage.fail(newRequest({ prompt: 'a #moderation fox' }))
    assert.deepEqual([refused.failure, refused.reason, refused.status], ['moderation', undefined, 422])
  })

  it('asks no private address for a picture unless it may', async () => {
    const sentBefore = emulator.requests.length
    const careful = createKoalaProvider({ ...options, allowPrivateLinks: false })
    const error = await stage.fail(newRequest(), { from: careful })
    assert.deepEqual([error.failure, error.isJobAlive], ['credentials', true])
    assert.equal(emulator.requests.length - sentBefore, 1)
    for (const job of ['file:///etc/passwd', 'nonsense']) {
      assert.equal((await stage.fail(newRequest({ job }), { from: careful })).failure, 'unknown', job)
    }
    for (const job of ['http://127.0.0.1/x.jpg', 'http://[::1]/x.jpg']) {
      assert.equal((await stage.fail(newRequest({ job }), { from: careful })).failure, 'credentials', job)
    }
  })

  it('does not repeat the key or the prompt that an upstream quotes', async () => {
    emulator.setFault({ status: 400, code: 'odd', message: `${KEY} may not order "a red fox"` }, ORDER)
    assert.equal((await stage.fail()).message, 'the Koala upstream answered 400: [key] may not order "[prompt]')
    emulator.setFault({ status: 500, code: `odd ${KEY}`, message: 'a red fox' }, PICTURE)
    assert.equal((await stage.fail()).message, 'the picture of the Koala upstream: answered 500 odd [key]')
  })

  it('knows a wrong key and an empty account', async () => {
    const wrong = createKoalaProvider({ ...options, apiKey: 'wrong' })
    assert.equal((await stage.fail(newRequest(), { from: wrong })).failure, 'credentials')
    await using poor = await startKoalaEmulator({ credits: 0, plan: 'basic' })
    const there = createKoalaProvider({ ...options, baseUrl: poor.url })
    await assert.rejects(there.generate(newRequest(), never), { failure: 'credentials', status: 402 })
    await assert.rejects(there.generate(newRequest({ quality: 'high' }), never), {
      failure: 'credentials',
      status: 403,
    })
  })

  it('calls what was never sent transient, and a picture whose server is down still to come', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))
    const address = server.address()
    const port = address !== null && typeof address !== 'string' ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    const baseUrl = `http://127.0.0.1:${port}`
    const nowhere = createKoalaProvider({ ...options, baseUrl })
    await assert.rejects(nowhere.generate(newRequest(), never), { failure: 'transient', isJobAlive: false })
    for (const job of [`${baseUrl}/api/image/a.jpg`, 'http://wombat.invalid/api/image/a.jpg']) {
      const error = await stage.fail(newRequest({ job }))
      assert.deepEqual([error.failure, error.isJobAlive], ['transient', true], job)
    }
    await assert.rejects(nowhere.check(), { failure: 'transient' })
  })

  it('ends promptly when called off: before sending, while ordering, while waiting', async () => {
    assert.equal((await stage.fail(newRequest(), { signal: AbortSignal.abort() })).failure, 'transient')
    emulator.setLatency(1000)
    assert.equal((await stage.fail(newRequest(), { signal: AbortSignal.timeout(50) })).failure, 'unknown')
    emulator.setLatency(0)
    emulator.setReadyMs(60_000)
    const waiting = await stage.fail(newRequest(), { signal: AbortSignal.timeout(300) })
    assert.deepEqual([waiting.failure, waiting.isJobAlive], ['transient', true])
  })

  it('checks that the upstream is there, which is all that is free', async () => {
    await provider.check()
    await createKoalaProvider({ ...options, apiKey: 'wrong' }).check()
    assert.equal(emulator.requests.at(-1)?.path, '/')
    assert.equal(emulator.requests.at(-1)?.headers.authorization, undefined)
    emulator.setFault('not_found')
    await provider.check()
    emulator.setFault('overloaded')
    await assert.rejects(provider.check(), { failure: 'transient', status: 503 })
  })
})
