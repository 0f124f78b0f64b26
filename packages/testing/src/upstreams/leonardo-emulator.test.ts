import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import { type LeonardoEmulator, startLeonardoEmulator } from './leonardo-emulator.ts'
import { PHOENIX_V1 } from './leonardo-rules.ts'

const KEY = '6f1d3c1e-2b7a-4c59-9d3e-0a1b2c3d4e5f'
const NONE = '556c1ee5-ec38-42e8-955a-1e82dad0ffa1'
const PARAMETERS = {
  prompt: 'a fox',
  mode: 'FAST',
  contrast: 'MEDIUM',
  width: 1152,
  height: 896,
  quantity: 1,
  style_ids: [NONE],
  prompt_enhance: 'OFF',
}
const V1 = {
  modelId: PHOENIX_V1,
  prompt: 'a fox',
  width: 1152,
  height: 896,
  num_images: 1,
  contrast: 3.5,
  alchemy: false,
  public: false,
  styleUUID: NONE,
  enhancePrompt: false,
}

describe('the Leonardo emulator', () => {
  let emulator: LeonardoEmulator
  before(async () => {
    emulator = await startLeonardoEmulator({ keys: [KEY] })
  })
  afterEach(() => emulator.setJobMs(0))
  after(() => emulator.close())

  const ask = async (path: string, body?: unknown, key = KEY) => {
    const response = await fetch(`${emulator.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: Object(await response.json()) }
  }
  const v2 = (parameters: unknown, rest: object = {}) =>
    ask('/v2/generations', { model: 'phoenix-v1.0', public: false, parameters, ...rest })

  it('takes an order of either version, works on it, and links to a JPEG of the size asked for', async () => {
    emulator.setJobMs(60_000)
    const orders = [await v2(PARAMETERS), await ask('/v1/generations', V1)]
    assert.deepEqual(
      orders.map(({ status }) => status),
      [200, 200],
    )
    const jobs = [orders[0]?.body.generate, orders[1]?.body.sdGenerationJob]
    for (const job of jobs) {
      assert.match(job.generationId, /^[\w-]{14}6[\w-]{21}$/)
      assert.deepEqual(job.cost, { amount: '0.0147', unit: 'DOLLARS' })
      const pending = (await ask(`/v1/generations/${job.generationId}`)).body.generations_by_pk
      assert.deepEqual([pending.status, pending.generated_images], ['PENDING', []])
    }
    emulator.setJobMs(0)
    for (const { generationId } of jobs) {
      const done = (await ask(`/v1/generations/${generationId}`)).body.generations_by_pk
      assert.equal(done.status, 'COMPLETE')
      assert.equal(done.generated_images.length, 1)
      const picture = Buffer.from(await (await fetch(done.generated_images[0].url)).arrayBuffer())
      assert.equal(picture.toString('latin1', 0, 3), '\xff\xd8\xff')
      const { width, height } = await loadImage(picture)
      assert.deepEqual([width, height], [1152, 896])
    }
    assert.equal(jobs[1].apiCreditCost, 8)
    assert.equal(emulator.requests.filter(({ pictures }) => pictures === 1).length, 2)
  })

  it('makes and charges four pictures of an order that does not say how many', async () => {
    const { quantity: _, ...rest } = PARAMETERS
    const { body } = await v2(rest)
    assert.equal(emulator.requests.at(-1)?.pictures, 4)
    assert.equal(body.generate.cost.amount, '0.0588')
  })

  for (const [change, message] of [
    [{ n: 1 }, /^Unexpected variable n$/],
    [{ num_images: 1 }, /^Unexpected variable num_images$/],
    [{ prompt: 'x'.repeat(2001) }, /maximum length of 2000/],
    [{ prompt: '' }, /Invalid prompt/],
    [{ mode: 'quality' }, /Invalid mode/],
    [{ contrast: 3.5 }, /Invalid contrast/],
    [{ width: 2056 }, /invalid dimensions/],
    [{ width: 1001 }, /invalid dimensions/],
    [{ height: 24 }, /invalid dimensions/],
    [{ quantity: 9 }, /too many images/],
    [{ style_ids: NONE }, /invalid style/],
    [{ style_ids: [NONE, NONE] }, /invalid style/],
    [{ prompt_enhance: false }, /Invalid prompt_enhance/],
  ] as const) {
    it(`refuses ${JSON.stringify(change).slice(0, 50)} in Leonardo's form`, async () => {
      const { status, body } = await v2({ ...PARAMETERS, ...change })
      assert.equal(status, 400)
      assert.match(body.error, message)
      assert.deepEqual([Object.keys(body), body.path], [['error', 'path', 'code'], '$'])
      assert.equal(emulator.requests.at(-1)?.pictures, 0)
    })
  }

  for (const [change, message] of [
    [{ quantity: 1 }, /^Unexpected variable quantity$/],
    [{ presetStyle: 'DYNAMIC' }, /^Unexpected variable presetStyle$/],
    [{ modelId: 'phoenix-v1.0' }, /model not found/],
    [{ prompt: 'x'.repeat(1501) }, /maximum length of 1500 characters exceeded/],
    [{ width: 1792, height: 1008 }, /invalid dimensions/],
    [{ num_images: 5 }, /too many images/],
    [{ contrast: 2 }, /Invalid contrast/],
    [{ contrast: '3.5' }, /Invalid contrast/],
    [{ contrast: 1.8, alchemy: true }, /Invalid contrast/],
    [{ contrast: undefined }, /Missing required variable contrast/],
    [{ alchemy: 'false' }, /expected a boolean/],
    [{ ultra: true, alchemy: true }, /exclude each other/],
  ] as const) {
    it(`refuses ${JSON.stringify(change).slice(0, 50)} of the first version`, async () => {
      const { status, body } = await ask('/v1/generations', { ...V1, ...change })
      assert.equal(status, 400)
      assert.match(body.error, message)
    })
  }

  it('refuses what stands beside the parameters, and orders without any', async () => {
    assert.match((await v2(PARAMETERS, { webhook: 'x' })).body.error, /^Unexpected variable webhook$/)
    assert.match((await v2(PARAMETERS, { public: 'no' })).body.error, /expected a boolean/)
    assert.match((await v2(PARAMETERS, { model: PHOENIX_V1 })).body.error, /not found/)
    assert.match((await v2(undefined)).body.error, /parameters/)
  })

  it('lets in only its keys: a wrong one is denied, what is no key at all breaks the hook', async () => {
    const wrong = await ask('/v1/me', undefined, KEY.replace('6', '7'))
    assert.deepEqual([wrong.status, wrong.body.code], [401, 'access-denied'])
    const malformed = await ask('/v1/me', undefined, 'sk-none')
    assert.deepEqual([malformed.status, malformed.body.error], [500, 'Invalid response from authorization hook'])
    assert.equal((await ask('/v1/me')).status, 200)
    assert.equal((await ask('/v3/me')).status, 404)
  })

  it('answers null for an id that it never gave, and has no picture for it', async () => {
    assert.deepEqual(await ask('/v1/generations/0000aaaa-0000'), { status: 200, body: { generations_by_pk: null } })
    assert.equal((await fetch(`${emulator.origin}/cdn/0000aaaa-0000/0.jpg`)).status, 403)
  })

  it('does as the prompt says: refused, failed, failed for its content, marked', async () => {
    assert.equal((await v2({ ...PARAMETERS, prompt: 'x #moderation' })).status, 403)
    const result = async (prompt: string) => {
      const { generationId } = (await v2({ ...PARAMETERS, prompt })).body.generate
      return (await ask(`/v1/generations/${generationId}`)).body.generations_by_pk
    }
    const failed = await result('x #fail')
    assert.deepEqual([failed.status, failed.prompt_moderations], ['FAILED', [{ moderationClassification: [] }]])
    assert.equal((await result('x #filtered')).prompt_moderations[0].moderationClassification[0], 'NSFW')
    assert.equal((await result('x #nsfw')).generated_images[0].nsfw, true)
  })
})
