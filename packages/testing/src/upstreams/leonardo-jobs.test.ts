import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import type { FailureClass, ImageProvider } from '@wombat/generation'
import { until } from '../until.ts'
import type { LeonardoEmulator } from './leonardo-emulator.ts'
import type { LeonardoFault } from './leonardo-faults.ts'
import {
  LEONARDO_REQUEST,
  type LeonardoStand,
  LINK,
  never,
  ORDER,
  openLeonardoStand,
  POLL,
  PROMPT,
} from './leonardo-provider.fixture.ts'

describe('a job of the Leonardo provider', () => {
  let stand: LeonardoStand
  let emulator: LeonardoEmulator
  let provider: ImageProvider
  let fail: LeonardoStand['fail']
  let open: LeonardoStand['open']
  before(async () => {
    stand = await openLeonardoStand()
    ;({ emulator, provider, fail, open } = stand)
  })
  afterEach(() => stand.mend())
  after(() => emulator.close())

  it('keeps the id before it asks for anything, and goes on when that fails', async () => {
    const from = emulator.requests.length
    const image = await provider.generate(
      {
        ...LEONARDO_REQUEST,
        onJob: async () => {
          assert.equal(emulator.requests.length, from + 1)
          throw new Error('the database is away')
        },
      },
      never,
    )
    assert.ok(image.bytes.length > 1000)
  })

  it('waits for the job, and asks again after every failed poll', async () => {
    emulator.setJobMs(100)
    const from = emulator.requests.length
    await provider.generate(LEONARDO_REQUEST, never)
    assert.ok(emulator.requests.length - from > 4)
    for (const fault of [
      'server_error',
      'bad_gateway_html',
      'html',
      'empty',
      'empty_object',
      'cut_off',
      'bad_json',
      'reset_before_reading',
      'rate_limit_silent',
      'odd_status',
      'missing',
      'no_images',
      'not_found',
      'redirect',
      'error_500_cut_off',
    ] as const) {
      emulator.setFault(fault, { path: POLL, times: 3 })
      assert.equal((await provider.generate(LEONARDO_REQUEST, never)).costMicroUsd, 14_700, fault)
    }
  })

  it('asks ever less often while polls fail', async () => {
    emulator.setFault('server_error', { path: POLL })
    const from = emulator.requests.length
    await fail({}, { from: open({ timeoutMs: 600, pollMs: 10 }) })
    const polls = emulator.requests.slice(from).filter(({ method }) => method === 'GET').length
    assert.ok(polls >= 2 && polls < 14, `${polls} polls`)
  })

  it('waits as long as a poll is told to', async () => {
    emulator.setFault('unavailable', { path: POLL, times: 1 })
    const startedAt = performance.now()
    await open({ timeoutMs: 20_000 }).generate(LEONARDO_REQUEST, never)
    assert.ok(performance.now() - startedAt >= 1000)
    emulator.setFault('rate_limit', { path: POLL })
    const error = await fail()
    assert.deepEqual([error.failure, error.isJobAlive, error.retryAfterMs], ['transient', true, 7000])
    assert.ok(performance.now() - startedAt < 6000, 'what is longer than the time is for the next call')
  })

  const POLL_CLASSES: readonly (readonly [LeonardoFault, FailureClass, boolean])[] = [
    ['access_denied', 'credentials', true],
    ['authorization_hook', 'credentials', true],
    ['forbidden', 'credentials', true],
    ['error_401_cut_off', 'credentials', true],
    ['failed', 'transient', false],
    ['failed_for_content', 'moderation', false],
    ['no_images', 'unknown', false],
    ['missing', 'transient', true],
    ['not_found', 'transient', true],
    ['server_error', 'transient', true],
    ['bad_gateway_html', 'transient', true],
    ['rate_limit_silent', 'transient', true],
    ['invalid_dimensions', 'transient', true],
    ['html', 'transient', true],
    ['empty', 'transient', true],
    ['cut_off', 'transient', true],
    ['reset_before_reading', 'transient', true],
    ['reset_after_reading', 'transient', true],
    ['hang', 'transient', true],
    ['hang_in_body', 'transient', true],
    ['odd_status', 'transient', true],
  ]
  for (const [fault, failure, isJobAlive] of POLL_CLASSES) {
    it(`calls ${String(fault)} of every poll ${failure}${isJobAlive ? ' with a job that goes on' : ''}`, async () => {
      emulator.setFault(fault, { path: POLL })
      const kept: string[] = []
      const error = await fail(
        { onJob: async (job) => void kept.push(job) },
        { from: open({ timeoutMs: isJobAlive ? 400 : 10_000, pollMs: 2 }) },
      )
      assert.deepEqual([error.failure, error.isJobAlive], [failure, isJobAlive])
      assert.deepEqual([error.upstreamId], kept)
    })
  }

  it('tells why a job was refused, and takes it for no refusal when nothing says so', async () => {
    const refused = await fail({ prompt: `${PROMPT} #filtered` })
    assert.deepEqual([refused.failure, refused.reason], ['moderation', 'nsfw'])
    const failed = await fail({ prompt: `${PROMPT} #fail` })
    assert.deepEqual([failed.failure, failed.isJobAlive], ['transient', false])
  })

  it('delivers what is marked as indecent', async () => {
    assert.ok((await provider.generate({ ...LEONARDO_REQUEST, prompt: 'fox #nsfw' }, never)).bytes.length > 1000)
  })

  it('gives up at the end of its time with a job that goes on, and a later call gets its picture', async () => {
    emulator.setJobMs(60_000)
    const kept: string[] = []
    const startedAt = performance.now()
    const late = await fail({ onJob: async (job) => void kept.push(job) }, { from: open({ timeoutMs: 300 }) })
    assert.deepEqual([late.failure, late.isJobAlive, late.upstreamId], ['transient', true, kept[0]])
    assert.ok(performance.now() - startedAt < 2000)
    emulator.setJobMs(0)
    const from = emulator.requests.length
    const onJob = () => assert.fail('the job is kept already')
    const image = await provider.generate({ ...LEONARDO_REQUEST, job: kept[0], onJob }, never)
    const { width } = await loadImage(image.bytes)
    assert.deepEqual([width, image.upstreamId], [1152, kept[0]])
    assert.deepEqual([image.costMicroUsd, image.usage], [undefined, undefined])
    assert.equal(emulator.requests.slice(from).filter(({ method }) => method === 'POST').length, 0)
  })

  it('gives up a job that Leonardo no longer knows, and a name that is none', async () => {
    for (const job of ['1f193a96-c1fd-6e60-8000-000000000000', 'x/../../v1/me', 'http://elsewhere/']) {
      const error = await fail({ job })
      assert.deepEqual([error.failure, error.isJobAlive], ['unknown', false])
    }
    const from = emulator.requests.length
    emulator.setFault('missing', { path: POLL, times: 2 })
    await provider.generate({ ...LEONARDO_REQUEST, job: await stand.orderJob() }, never)
    assert.equal(emulator.requests.slice(from).filter(({ method }) => method === 'POST').length, 1)
  })

  it('ends a resumed job as it ends a new one', async () => {
    assert.equal((await fail({ job: await stand.orderJob({ prompt: '#fail' }) })).failure, 'transient')
    assert.equal((await fail({ job: await stand.orderJob({ prompt: '#filtered' }) })).failure, 'moderation')
    const job = await stand.orderJob()
    emulator.setFault('access_denied', { path: POLL })
    const locked = await fail({ job })
    assert.deepEqual([locked.failure, locked.isJobAlive], ['credentials', true])
  })

  it('ends promptly when called off: before the order, during it, during the job, during a poll', async () => {
    const before = await fail({}, { signal: AbortSignal.abort() })
    assert.deepEqual([before.failure, before.isJobAlive], ['transient', false])
    const startedAt = performance.now()
    emulator.setFault('hang', { path: ORDER })
    const during = await fail({}, { signal: AbortSignal.timeout(50), from: open({ timeoutMs: 20_000 }) })
    assert.deepEqual([during.failure, during.isJobAlive], ['unknown', false])
    emulator.setFault(undefined)
    emulator.setJobMs(60_000)
    for (const [fault, pollMs, sent] of [
      [undefined, 10_000, 1],
      ['hang', 5, 2],
    ] as const) {
      emulator.setFault(fault, { path: POLL })
      const calledOff = new AbortController()
      const from = emulator.requests.length
      const kept: string[] = []
      const onJob = async (job: string) => void kept.push(job)
      const outcome = fail({ onJob }, { signal: calledOff.signal, from: open({ timeoutMs: 60_000, pollMs }) })
      await until(() => kept.length === 1 && emulator.requests.length >= from + sent, { what: 'the job is waited for' })
      calledOff.abort()
      const error = await outcome
      assert.deepEqual([error.failure, error.isJobAlive, error.upstreamId], ['transient', true, kept[0]])
    }
    const resumed = await fail({ job: 'aaaaaaaa-bbbb' }, { signal: AbortSignal.abort() })
    assert.deepEqual([resumed.failure, resumed.isJobAlive], ['transient', true])
    assert.ok(performance.now() - startedAt < 5000)
  })

  const LINK_CLASSES: readonly (readonly [LeonardoFault, FailureClass, boolean])[] = [
    ['server_error', 'transient', true],
    ['unavailable', 'transient', true],
    ['rate_limit', 'transient', true],
    ['reset_before_reading', 'transient', true],
    ['cut_off', 'transient', true],
    ['hang', 'transient', true],
    ['not_found', 'unknown', false],
    ['forbidden', 'unknown', false],
    ['html', 'unknown', false],
    ['empty', 'unknown', false],
    ['not_a_picture', 'unknown', false],
  ]
  for (const [fault, failure, isJobAlive] of LINK_CLASSES) {
    it(`calls ${String(fault)} of a link ${failure}`, async () => {
      const job = await stand.orderJob()
      emulator.setFault(fault, { path: LINK })
      const error = await fail({ job }, { from: fault === 'hang' ? open({ timeoutMs: 400 }) : provider })
      assert.deepEqual([error.failure, error.isJobAlive, error.upstreamId], [failure, isJobAlive, job])
      emulator.setFault(undefined)
      assert.ok((await provider.generate({ ...LEONARDO_REQUEST, job }, never)).bytes.length > 1000)
    })
  }

  it('hands a picture on that only a decoder can refuse, and tries a link again that failed once', async () => {
    for (const fault of ['corrupt_picture', 'server_error'] as const) {
      emulator.setFault(fault, { path: LINK, times: 1 })
      assert.ok((await provider.generate(LEONARDO_REQUEST, never)).bytes.length > 1000)
    }
  })

  it('follows no link to a private address unless it is allowed to', async () => {
    const from = emulator.requests.length
    const error = await fail({}, { from: open({ allowPrivateLinks: false }) })
    assert.deepEqual([error.failure, error.isJobAlive], ['credentials', true])
    assert.equal(emulator.requests.slice(from).filter(({ path }) => path.startsWith(LINK)).length, 0)
  })
})
