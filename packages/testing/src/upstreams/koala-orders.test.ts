import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import { createKoalaProvider, type ImageProvider, type KoalaOptions } from '@wombat/generation'
import { type KoalaEmulator, startKoalaEmulator } from './koala-emulator.ts'
import { keepJobs, mend, never, newRequest, startKoalaStage } from './koala-stage.fixture.ts'

const ORDER = { path: '/api/image-generation/' }
const PICTURE = { path: '/api/image/' }

describe('orders of the Koala provider and their pictures', () => {
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

  for (const delivery of ['block', 'keepalive', 'redirect'] as const) {
    it(`waits for a picture that comes by ${delivery}`, async () => {
      emulator.setDelivery(delivery)
      emulator.setReadyMs(120)
      const { bytes } = await provider.generate(newRequest(), never)
      assert.equal((await loadImage(bytes)).width, 1536)
    })
  }

  it('keeps the URL before it asks for the picture, and later only asks for it', async () => {
    emulator.setReadyMs(60_000)
    const { jobs, onJob: keep } = keepJobs()
    const onJob = async (url: string): Promise<void> => {
      assert.ok(!emulator.requests.some(({ path }) => url.endsWith(path)))
      await keep(url)
    }
    const error = await stage.fail(newRequest({ onJob }), { from: createKoalaProvider({ ...options, timeoutMs: 150 }) })
    assert.deepEqual([error.failure, error.isJobAlive], ['transient', true])
    assert.match(error.message, /not there within 150 ms/)
    const ordered = stage.orders().length
    assert.equal((await stage.fail(newRequest({ job: jobs[0] }), { signal: AbortSignal.timeout(50) })).isJobAlive, true)
    emulator.setReadyMs(0)
    await provider.generate(newRequest({ onJob: keep }), never)
    const image = await provider.generate(newRequest({ job: jobs[1] }), never)
    assert.equal((await loadImage(image.bytes)).height, 1024)
    assert.equal(image.upstreamId, /(v2-[\w-]+)\.jpg/.exec(jobs[1] ?? '')?.[1])
    assert.equal(stage.orders().length, ordered + 1)
  })

  it('goes on when the URL can not be kept', async () => {
    const onJob = () => Promise.reject(new Error('no database'))
    assert.ok((await provider.generate(newRequest({ onJob }), never)).bytes.length > 100)
  })

  it('follows eight redirects, and no more', async () => {
    emulator.setFault('endless_redirect', PICTURE)
    const sentBefore = emulator.requests.length
    await stage.fail()
    assert.equal(emulator.requests.length - sentBefore, 1 + 9)
    emulator.setFault('endless_redirect', { ...PICTURE, times: 8 })
    assert.ok((await provider.generate(newRequest(), never)).bytes.length > 100)
  })

  it('waits as told when the upstream holds it no longer', async () => {
    emulator.setDelivery('redirect')
    emulator.setReadyMs(60_000)
    const error = await stage.fail()
    assert.deepEqual([error.status, error.isJobAlive, error.retryAfterMs], [503, true, 5000])
  })

  it('learns of a late failure by a reset, and of its reason when it asks again', async () => {
    emulator.setDelivery('keepalive')
    emulator.setReadyMs(120)
    emulator.setOutcome('bad_reference')
    const { jobs, onJob } = keepJobs()
    const late = await stage.fail(newRequest({ onJob }))
    assert.deepEqual([late.failure, late.isJobAlive], ['transient', true])
    assert.equal((await stage.fail(newRequest({ job: jobs[0] }))).failure, 'bad_reference')
  })

  it('is not charged twice by a Wombat whose answer got lost', async () => {
    const sent = newRequest()
    const left = emulator.credits
    emulator.setFault('reset_after_reading', { ...ORDER, times: 1 })
    assert.equal((await stage.fail(sent)).failure, 'unknown')
    const image = await provider.generate(sent, never)
    assert.equal(emulator.credits, left - 1)
    assert.deepEqual(image.usage, { credits: 0 })
    await provider.generate(newRequest(), never)
    assert.equal(emulator.credits, left - 2)
  })

  it('orders anew when a Wombat gave up, again and again, and pays for the one that comes', async () => {
    const sent = newRequest()
    const left = emulator.credits
    emulator.setOutcome('generation_failed', 8)
    for (let times = 0; times < 8; times += 1) {
      const error = await stage.fail(sent)
      assert.deepEqual([error.failure, error.isJobAlive, error.status], ['transient', false, 410])
      assert.equal(emulator.credits, left)
    }
    await provider.generate(sent, never)
    assert.equal(emulator.credits, left - 1)
    assert.equal(stage.orders().at(-1)?.headers['idempotency-key'], undefined)
  })

  it('finds the order that is still good behind one that was given up', async () => {
    const sent = newRequest()
    const left = emulator.credits
    emulator.setOutcome('generation_failed', 1)
    await stage.fail(sent)
    // Heard after the answer to the old order: it is the new one that gets lost.
    const onJob = async (): Promise<void> => emulator.setFault('cut_off', ORDER)
    assert.equal((await stage.fail({ ...sent, onJob })).failure, 'unknown')
    assert.equal(emulator.credits, left - 1)
    emulator.setFault(undefined)
    await provider.generate(sent, never)
    await provider.generate(sent, never)
    assert.equal(emulator.credits, left - 1)
  })

  it('orders anew at koala.sh too, which has no such keys', async () => {
    await using koala = await startKoalaEmulator({ isWombat: false })
    const there = createKoalaProvider({ ...options, baseUrl: `${koala.url}/` })
    const sent = newRequest()
    koala.setOutcome('generation_failed', 1)
    await assert.rejects(there.generate(sent, never), { failure: 'transient', isJobAlive: false })
    const image = await there.generate(sent, never)
    assert.equal(image.usage, undefined)
    assert.equal(koala.credits, 999)
  })

  it('orders anew what the upstream has forgotten', async () => {
    const sent = newRequest()
    const { jobs, onJob } = keepJobs()
    await provider.generate({ ...sent, onJob }, never)
    const [job] = jobs
    emulator.forget(job ?? '')
    assert.equal((await stage.fail({ ...sent, job })).isJobAlive, false)
    assert.ok((await provider.generate(sent, never)).bytes.length > 100)
  })
})
