import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import type { Simulation } from '@wombat/contract'
import { Easel } from './drawing/easel.ts'
import type { PictureRequest } from './drawing/picture.ts'
import { ProviderError, type ProviderRequest } from './provider.ts'
import { createSyntheticProvider } from './synthetic.ts'

const REQUEST: ProviderRequest = {
  imageId: 'v2-aaaaaaaaa-bbbbbbbbb',
  model: 'gpt-image-2',
  quality: 'fast',
  style: 'photo',
  prompt: 'a red fox in snow',
  originalPrompt: 'fox',
  width: 512,
  height: 384,
  index: 0,
  isOriginalPreserved: false,
  references: [],
  referenceUrls: [],
  ageMs: 0,
  onJob: async () => {},
  endUser: 'someone',
}

const { prompt, originalPrompt, model, quality, style, width, height, index } = REQUEST
const PICTURE: PictureRequest = { prompt, originalPrompt, model, quality, style, width, height, index }

const STYLES = [
  'photo',
  'illustration',
  'watercolor',
  'fantasy',
  'anime',
  '3d',
  'isometric',
  'general',
  'none',
] as const
const never = new AbortController().signal

describe('the synthetic provider', () => {
  const provider = createSyntheticProvider({ latencyMs: { min: 0, max: 0 } })
  after(() => provider.close())
  const draw = async (change: Partial<ProviderRequest> = {}): Promise<Buffer> =>
    (await provider.generate({ ...REQUEST, ...change }, never)).bytes

  it('gives the same bytes for the same request, whatever the image id', async () => {
    assert.deepEqual(await draw(), await draw({ imageId: 'v2-other' }))
  })

  it('gives other bytes for another prompt, original prompt, model, quality, style or index', async () => {
    const base = await draw()
    const changes: Partial<ProviderRequest>[] = [
      { prompt: 'a red fox in snow.' },
      { originalPrompt: 'fox!' },
      { model: 'standard' },
      { quality: 'high' },
      { style: 'anime' },
      { index: 1 },
    ]
    for (const change of changes) {
      assert.notDeepEqual(await draw(change), base, JSON.stringify(change))
    }
  })

  for (const style of STYLES) {
    it(`draws ${style} in exactly the size asked for, wide, tall and tiny`, async () => {
      for (const [width, height] of [
        [1536, 640],
        [640, 1536],
        [64, 64],
        [64, 700],
      ] as const) {
        const image = await loadImage(await draw({ style, width, height, model: 'nano-banana-2', quality: 'standard' }))
        assert.deepEqual([image.width, image.height], [width, height])
      }
    })
  }

  it('gives PNG of photographic weight for gpt-image-2 and JPEG for the others', async () => {
    const png = await draw({ width: 1024, height: 1024 })
    assert.equal(png.subarray(1, 4).toString(), 'PNG')
    assert.ok(png.length > 1_200_000 && png.length < 2_500_000, `${png.length} bytes`)
    const canvas = createCanvas(1024, 1024)
    canvas.getContext('2d').drawImage(await loadImage(png), 0, 0)
    const jpeg = await draw({ model: 'ideogram-3.0', quality: 'turbo' })
    assert.deepEqual([...jpeg.subarray(0, 3)], [0xff, 0xd8, 0xff])
  })

  it('draws prompts in any script, of any length', async () => {
    for (const originalPrompt of [
      '猫',
      'قطة',
      '😀',
      '\u0000\u202e',
      'x'.repeat(32_000),
      'a b '.repeat(8_000),
      '\ud800',
      ' ',
    ]) {
      assert.ok((await draw({ originalPrompt })).length > 1000)
    }
  })

  it('refuses a size that it can not draw as a mistake of ours', async () => {
    await assert.rejects(draw({ width: 100_000 }), { failure: 'mistake' })
  })

  it('leaves the event loop free while it draws', async () => {
    await draw()
    const before = performance.eventLoopUtilization()
    await Promise.all([0, 1, 2, 3].map((index) => draw({ index, width: 1024, height: 1024 })))
    const { utilization } = performance.eventLoopUtilization(before)
    assert.ok(utilization < 0.3, `busy for ${Math.round(utilization * 100)} % of the time`)
  })

  it('passes its own check', async () => {
    await provider.check()
  })
})

describe('the time a synthetic picture takes', () => {
  it('lies between the two limits, drawing included, and is the same for the same request', async () => {
    await using stack = new AsyncDisposableStack()
    const provider = stack.adopt(createSyntheticProvider({ latencyMs: { min: 700, max: 900 } }), (it) => it.close())
    await provider.check()
    const startedAt = performance.now()
    await Promise.all([provider.generate(REQUEST, never), provider.generate(REQUEST, never)])
    const tookMs = performance.now() - startedAt
    assert.ok(tookMs >= 690 && tookMs < 2500, `${tookMs} ms`)
  })

  it('ends promptly when called off, before, while drawing and while waiting', async () => {
    await using stack = new AsyncDisposableStack()
    const provider = stack.adopt(createSyntheticProvider({ latencyMs: { min: 60_000, max: 60_000 } }), (it) =>
      it.close(),
    )
    await provider.check()
    for (const afterMs of [0, 20, 600]) {
      const startedAt = performance.now()
      await assert.rejects(provider.generate(REQUEST, AbortSignal.timeout(afterMs)), {
        name: 'ProviderError',
        failure: 'transient',
      })
      assert.ok(performance.now() - startedAt < afterMs + 1500)
    }
    await assert.rejects(provider.generate(REQUEST, AbortSignal.abort()), ProviderError)
  })

  it('refuses limits that contradict each other', () => {
    assert.throws(() => createSyntheticProvider({ latencyMs: { min: 2, max: 1 } }), RangeError)
  })
})

describe('the drawing thread', () => {
  const script = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`)
  const listen = "import { parentPort } from 'node:worker_threads'; parentPort.on('message', ({ id, request }) => {"

  for (const [what, code] of [
    ['throws', "if (request.prompt === 'bad') throw new Error('boom')"],
    ['exits', "if (request.prompt === 'bad') process.exit(3)"],
    ['hangs', "if (request.prompt === 'bad') for (;;) {}"],
    ['reports a fault', "if (request.prompt === 'bad') return parentPort.postMessage({ id, error: 'no paint' })"],
  ] as const) {
    it(`fails only the picture at which it ${what}, as transient, and is made anew`, async () => {
      await using stack = new AsyncDisposableStack()
      const entry = script(
        `${listen} ${code}; const bytes = new Uint8Array([id]); parentPort.postMessage({ id, bytes }, [bytes.buffer]) })`,
      )
      const easel = stack.adopt(new Easel({ entry, timeoutMs: 700 }), (it) => it.close())
      const [bad, good] = await Promise.allSettled([
        easel.draw({ ...PICTURE, prompt: 'bad' }, never),
        easel.draw(PICTURE, never),
      ])
      assert.ok(bad.status === 'rejected' && bad.reason instanceof ProviderError && bad.reason.failure === 'transient')
      assert.deepEqual(good, { status: 'fulfilled', value: Buffer.from([2]) })
      assert.deepEqual(await easel.draw(PICTURE, never), Buffer.from([3]))
    })
  }

  it('ends with the provider, and what waits is refused as transient', async () => {
    const easel = new Easel({ entry: script(`${listen} for (;;) {} })`) })
    const pictures = [easel.draw(PICTURE, never), easel.draw(PICTURE, never)]
    const closing = easel.close()
    for (const picture of pictures) {
      await assert.rejects(picture, { failure: 'transient' })
    }
    await closing
    await assert.rejects(easel.draw(PICTURE, never), { failure: 'transient' })
  })
})

describe('faults of all synthetic pictures', { timeout: 30_000 }, () => {
  const open = (simulate: Simulation) => createSyntheticProvider({ latencyMs: { min: 0, max: 0 }, simulate })

  it('are met by a trial too, as long as they last', async () => {
    for (const [simulate, failure] of [
      [{ outageMs: 400 }, 'transient'],
      [{ credentialsMs: 400 }, 'credentials'],
      [{ throttledMs: 400 }, 'throttled'],
    ] as const) {
      await using stack = new AsyncDisposableStack()
      const provider = stack.adopt(open(simulate), (it) => it.close())
      await assert.rejects(provider.check(), { failure })
      await assert.rejects(provider.generate(REQUEST, never), { failure })
      while (
        !(await provider.check().then(
          () => true,
          () => false,
        ))
      ) {
        await sleep(20)
      }
      await provider.generate(REQUEST, never)
    }
  })

  it('give way to those that the request asks for, and to nothing else', async () => {
    await using stack = new AsyncDisposableStack()
    const provider = stack.adopt(open({ moderation: 'violence', image: 2 }), (it) => it.close())
    await provider.generate(REQUEST, never)
    await assert.rejects(provider.generate({ ...REQUEST, index: 1 }, never), {
      failure: 'moderation',
      reason: 'violence',
    })
    await provider.generate({ ...REQUEST, index: 1, simulate: 'latency=1ms' }, never)
    await assert.rejects(provider.generate({ ...REQUEST, simulate: 'nonsense' }, never), { failure: 'mistake' })
  })

  it('are called off while they are waited for', async () => {
    await using stack = new AsyncDisposableStack()
    const provider = stack.adopt(open({ lateFailureMs: 3_600_000 }), (it) => it.close())
    await assert.rejects(provider.generate(REQUEST, AbortSignal.timeout(50)), { failure: 'transient' })
  })
})
