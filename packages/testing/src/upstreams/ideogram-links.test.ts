import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { createIdeogramProvider, type ImageProvider, ProviderError, type ProviderRequest } from '@wombat/generation'
import { type IdeogramEmulator, startIdeogramEmulator } from './ideogram-emulator.ts'
import { IDEOGRAM_LINKS, type IdeogramFault } from './ideogram-faults.ts'
import { PROVIDER_REQUEST } from './provider-request.ts'

const never = new AbortController().signal

describe('the links of Ideogram', () => {
  let emulator: IdeogramEmulator
  let provider: ImageProvider
  let hasty: ImageProvider
  let kept: string[] = []
  let seen = 0
  const request: ProviderRequest = {
    ...PROVIDER_REQUEST,
    model: 'ideogram-3.0',
    quality: 'turbo',
    onJob: async (job) => void kept.push(job),
  }
  before(async () => {
    emulator = await startIdeogramEmulator()
    const options = { apiKey: 'key', baseUrl: emulator.url, allowPrivateLinks: true }
    provider = createIdeogramProvider(options)
    hasty = createIdeogramProvider({ ...options, timeoutMs: 400 })
  })
  afterEach(() => {
    emulator.setFault(undefined)
    kept = []
  })
  after(() => emulator.close())

  /** What has arrived since this was last asked. */
  const arrived = (): string[] => {
    const found = emulator.requests.slice(seen).map(({ method }) => method)
    seen = emulator.requests.length
    return found
  }
  const fail = async (
    change: Partial<ProviderRequest> = {},
    { signal = never, by = provider }: { signal?: AbortSignal; by?: ImageProvider } = {},
  ): Promise<ProviderError> => {
    arrived()
    const outcome = await by.generate({ ...request, ...change }, signal).then(
      () => assert.fail('a picture came'),
      (error: unknown) => error,
    )
    assert.ok(outcome instanceof ProviderError, String(outcome))
    assert.doesNotMatch(outcome.message, /sig=|ephemeral|a red fox/)
    return outcome
  }
  /** A link that works, and nothing of how it came about. */
  const makeLink = async (): Promise<string> => {
    await provider.generate(request, never)
    const [link = ''] = kept
    kept = []
    arrived()
    return link
  }

  it('keeps the link before it asks for the picture', async () => {
    arrived()
    let asked: string[] = []
    const onJob = async (job: string): Promise<void> => {
      kept.push(job)
      // What was sent along with it would have arrived by the end of this.
      await (await fetch(`${emulator.url}/marker`, { method: 'OPTIONS' })).text()
      asked = arrived()
    }
    await provider.generate({ ...request, onJob }, never)
    assert.deepEqual([asked, arrived()], [['POST', 'OPTIONS'], ['GET']])
    assert.match(kept[0] ?? '', /^http:\/\/127\.0\.0\.1:\d+\/api\/images\/ephemeral\/[\w-]+\.png\?exp=\d+&sig=\w+$/)
  })

  const LATER: readonly IdeogramFault[] = ['server_error', 'bad_gateway_html', 'cut_off', 'reset_after_reading']
  for (const fault of LATER) {
    it(`asks again once at ${String(fault)}, and then leaves the link to a later call`, async () => {
      emulator.setFault(fault, { path: IDEOGRAM_LINKS, times: 1 })
      arrived()
      await provider.generate(request, never)
      assert.deepEqual(arrived(), ['POST', 'GET', 'GET'])

      kept = []
      emulator.setFault(fault, { path: IDEOGRAM_LINKS })
      const error = await fail()
      assert.deepEqual([error.failure, error.isJobAlive], ['transient', true])
      assert.match(error.upstreamId ?? '', /^[\w-]{22}$/)
      assert.deepEqual(arrived(), ['POST', 'GET', 'GET'])

      emulator.setFault(undefined)
      const image = await provider.generate({ ...request, job: kept[0] }, never)
      assert.deepEqual(arrived(), ['GET'])
      assert.deepEqual([image.bytes.toString('latin1', 1, 4), image.costMicroUsd], ['PNG', 30_000])
      assert.equal(image.upstreamId, error.upstreamId)
    })
  }

  for (const fault of ['hang', 'hang_in_body'] as const) {
    it(`leaves the link to a later call at ${fault}`, async () => {
      emulator.setFault(fault, { path: IDEOGRAM_LINKS })
      const error = await fail({}, { by: hasty })
      assert.deepEqual([error.failure, error.isJobAlive], ['transient', true])
      assert.match(error.message, /within 400 ms/)
    })
  }

  const DEAD: readonly IdeogramFault[] = ['not_found', 'forbidden', 'html', 'empty', 'not_a_picture', 'no_picture']
  for (const fault of DEAD) {
    it(`calls the picture lost at ${String(fault)}, new or kept`, async () => {
      const job = await makeLink()
      emulator.setFault(fault, { path: IDEOGRAM_LINKS })
      for (const change of [{}, { job }]) {
        const error = await fail(change)
        assert.deepEqual([error.failure, error.isJobAlive], ['unknown', false])
        assert.deepEqual(arrived(), 'job' in change ? ['GET'] : ['POST', 'GET'])
      }
    })
  }

  it('calls the picture lost when the link that was answered is dead or has expired', async () => {
    for (const fault of ['dead_link', 'expired_link'] as const) {
      emulator.setFault(fault, { times: 1 })
      const error = await fail()
      assert.deepEqual([error.failure, error.isJobAlive], ['unknown', false])
    }
  })

  it('does not ask for a kept link that has expired, and asks for one that does not say', async () => {
    const link = await makeLink()
    const expired = link.replace(/exp=\d+/, `exp=${Math.floor(Date.now() / 1000) - 1}`)
    const error = await fail({ job: expired })
    assert.deepEqual([error.failure, error.isJobAlive], ['unknown', false])
    assert.match(error.message, /expired/)
    assert.deepEqual(arrived(), [])
    for (const exp of ['exp=soon', 'exp=', 'exp=12']) {
      assert.match((await fail({ job: link.replace(/exp=\d+/, exp) })).message, /answered 403/)
      assert.deepEqual(arrived(), ['GET'])
    }
  })

  it('begins nothing new when it goes on, however often, and does not keep the link again', async () => {
    const job = await makeLink()
    for (let times = 0; times < 2; times += 1) {
      await provider.generate({ ...request, job }, never)
    }
    assert.deepEqual([arrived(), kept], [['GET', 'GET'], []])
  })

  it('hands pictures on that only a decoder can refuse, and those of another type', async () => {
    for (const [fault, head] of [
      ['corrupt_picture', '\x89PNG'],
      ['jpeg', '\xff\xd8\xff\xe0'],
    ] as const) {
      emulator.setFault(fault, { path: IDEOGRAM_LINKS })
      assert.equal((await provider.generate(request, never)).bytes.toString('latin1', 0, 4), head)
    }
  })

  it('goes on when the link can not be kept, but does not promise it to a later call', async () => {
    const onJob = () => Promise.reject(new Error('the database is down'))
    assert.ok((await provider.generate({ ...request, onJob }, never)).bytes.length > 100)
    emulator.setFault('server_error', { path: IDEOGRAM_LINKS })
    const error = await fail({ onJob })
    assert.deepEqual([error.failure, error.isJobAlive], ['unknown', false])
  })

  it('keeps the job alive when called off before or while the picture is loaded', async () => {
    const job = await makeLink()
    const before = await fail({ job }, { signal: AbortSignal.abort() })
    assert.deepEqual([before.failure, before.isJobAlive, arrived()], ['transient', true, []])
    emulator.setFault('hang', { path: IDEOGRAM_LINKS })
    const startedAt = performance.now()
    const during = await fail({ job }, { signal: AbortSignal.timeout(100) })
    assert.deepEqual([during.failure, during.isJobAlive, arrived()], ['transient', true, ['GET']])
    assert.ok(performance.now() - startedAt < 2500)
  })

  it('never asks for a link to a private address, new or kept, unless that is allowed', async () => {
    const careful = createIdeogramProvider({ apiKey: 'key', baseUrl: emulator.url })
    const error = await fail({}, { by: careful })
    assert.deepEqual([error.failure, error.isJobAlive], ['credentials', true])
    assert.deepEqual(arrived(), ['POST'])
    const { port } = new URL(emulator.url)
    for (const link of [
      ...(kept[0] === undefined ? [] : [kept[0]]),
      `http://localhost:${port}/api/images/ephemeral/a.png`,
      `http://2130706433:${port}/a.png`,
      `http://[::ffff:127.0.0.1]:${port}/a.png`,
      'http://127.0.0.1/a.png',
      'https://localhost/a.png',
      'http://user:password@127.0.0.1/a.png',
    ]) {
      const failure = link.includes('@') ? 'unknown' : 'credentials'
      assert.equal((await fail({ job: link }, { by: careful })).failure, failure)
      assert.deepEqual(arrived(), [])
      emulator.setFault({ link }, { times: 1 })
      assert.equal((await fail({}, { by: careful })).failure, failure)
      assert.deepEqual(arrived(), ['POST'])
    }
  })

  it('neither keeps nor opens what is no link', async () => {
    for (const link of ['file:///etc/passwd', 'data:image/png;base64,iVBORw0KGgo=', '/api/images/a.png', 'picture']) {
      emulator.setFault({ link }, { times: 1 })
      const error = await fail()
      assert.deepEqual([error.failure, kept, arrived()], ['unknown', [], ['POST']])
      assert.equal((await fail({ job: link })).failure, 'unknown')
      assert.deepEqual(arrived(), [])
    }
  })
})
