import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import { type KoalaEmulator, startKoalaEmulator } from './koala-emulator.ts'

const KEY = '11111111-2222-4333-8444-555555555555'

describe('the Koala emulator', () => {
  let emulator: KoalaEmulator
  before(async () => {
    emulator = await startKoalaEmulator({ keys: [KEY], softWaitMs: 20, keepAliveMs: 20 })
  })
  afterEach(() => {
    emulator.setFault(undefined)
    emulator.setDelivery('block')
    emulator.setReadyMs(0)
    emulator.setOutcome('picture')
  })
  after(() => emulator.close())

  const post = async (body: unknown, headers: Record<string, string> = {}, path = '/api/image-generation/') => {
    const response = await fetch(emulator.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, headers: response.headers, body: Object(await response.json()) }
  }

  it('answers at once with URLs that lead to pictures of the size that the model makes', async () => {
    for (const [order, size] of [
      [{ prompt: 'cat' }, [1024, 1024]],
      [{ prompt: 'cat', size: '1216x832' }, [1536, 1024]],
      [{ prompt: 'cat', size: '1536x640' }, [1792, 1008]],
      [{ prompt: 'cat', size: '1536x640', model: 'ideogram-3.0' }, [1536, 640]],
      [{ prompt: 'cat', size: '1000x1000', model: 'standard' }, [1024, 1024]],
    ] as const) {
      const { status, body } = await post(order)
      assert.equal(status, 200)
      assert.deepEqual(Object.keys(body[0]), ['url', 'alt'])
      const { width, height } = await loadImage(Buffer.from(await (await fetch(body[0].url)).arrayBuffer()))
      assert.deepEqual([width, height], size)
    }
  })

  it('charges by the price list and refunds what fails, once', async () => {
    const before = emulator.credits
    await post({ prompt: 'cat', quality: 'high', numImages: 2 })
    assert.equal(emulator.credits, before - 40)
    emulator.setOutcome('generation_failed', 1)
    const { headers, body } = await post({ prompt: 'cat', model: 'nano-banana-2' })
    assert.equal(headers.get('x-credits-charged'), '5')
    for (let times = 0; times < 2; times += 1) {
      const failed = await fetch(body[0].url)
      assert.equal(failed.status, 410)
      assert.equal(Object(await failed.json()).refunded, true)
    }
    assert.equal(emulator.credits, before - 40)
  })

  for (const [change, status] of [
    [{ prompt: ' ' }, 400],
    [{ prompt: 7 }, 400],
    [{ model: 'dall-e-3' }, 400],
    [{ quality: 'best' }, 400],
    [{ size: 'large' }, 400],
    [{ numImages: 5 }, 400],
    [{ style: 'cubist' }, 400],
    [{ enhancePrompt: true }, 400],
    [{ referenceImages: ['ftp://a'] }, 400],
    [{ referenceImages: Array.from({ length: 6 }, () => 'https://a.example/b.png') }, 400],
    [{ referenceImages: ['https://a.example/b.png'], model: 'premium' }, 400],
    [{ preserveOriginal: 'yes' }, 400],
    [{ quality: 'high', numImages: 4, model: 'gpt-image-2' }, 200],
  ] as const) {
    it(`answers ${JSON.stringify(change).slice(0, 60)} with ${status}`, async () => {
      const answer = await post({ prompt: 'cat', ...change })
      assert.equal(answer.status, status)
      assert.equal(answer.body.code, status === 400 ? 'invalid_request' : undefined)
    })
  }

  it('names what it ignores', async () => {
    const { headers } = await post({ prompt: 'cat', background: 'x', model: 'ideogram-3.0', quality: 'fast' })
    assert.equal(headers.get('x-ignored-params'), 'background, quality')
    const { headers: preserved } = await post({ prompt: 'cat', model: 'ideogram-3.0', preserveOriginal: true })
    assert.equal(preserved.get('x-ignored-params'), 'preserveOriginal')
  })

  it('refuses a wrong key, no JSON, other addresses and methods, a plan and an empty account', async () => {
    assert.equal((await post({ prompt: 'cat' }, { authorization: 'Bearer wrong' })).status, 401)
    assert.equal((await post('{"prompt"')).status, 400)
    assert.equal((await post({ prompt: 'cat' }, { 'content-type': 'text/plain' })).status, 415)
    assert.equal((await post({ prompt: 'cat' }, {}, '/api/images')).status, 404)
    assert.equal((await post({ prompt: 'cat' }, {}, '/api/image-generation')).status, 200)
    assert.equal((await fetch(`${emulator.url}/api/image-generation/`)).status, 405)
    assert.equal((await fetch(`${emulator.url}/api/image/v2-a-b.jpg`)).status, 404)
    await using poor = await startKoalaEmulator({ plan: 'basic', credits: 1 })
    const order = async (body: unknown): Promise<number> => {
      const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      return (await fetch(`${poor.url}/api/image-generation/`, init)).status
    }
    assert.equal(await order({ prompt: 'cat', quality: 'medium' }), 403)
    assert.equal(await order({ prompt: 'cat', numImages: 2 }), 402)
    assert.equal(await order({ prompt: 'cat' }), 200)
    assert.equal(await order({ prompt: 'cat' }), 402)
  })

  it('answers a key that it has seen with what was ordered then, if it is a Wombat', async () => {
    const key = { 'idempotency-key': 'abc' }
    const first = await post({ prompt: 'cat' }, key)
    const left = emulator.credits
    const second = await post({ prompt: 'cat' }, key)
    assert.deepEqual(second.body, first.body)
    assert.equal(second.headers.get('idempotent-replayed'), 'true')
    assert.equal(emulator.credits, left)
    assert.equal((await post({ prompt: 'dog' }, key)).status, 409)
  })

  it('begins a JPEG and adds comments until there is one', async () => {
    emulator.setDelivery('keepalive')
    emulator.setReadyMs(150)
    const { body } = await post({ prompt: 'cat' })
    const bytes = Buffer.from(await (await fetch(body[0].url)).arrayBuffer())
    assert.ok(bytes.subarray(20).indexOf(Buffer.from([0xff, 0xfe, 0, 2, 0xff, 0xfe, 0, 2])) === 0)
    assert.equal((await loadImage(bytes)).width, 1024)
    emulator.setOutcome('moderation_refused')
    const late = await post({ prompt: 'cat' })
    await assert.rejects(async () => (await fetch(late.body[0].url)).arrayBuffer())
    assert.equal((await fetch(late.body[0].url)).status, 422)
  })

  it('sends who waits round eight times, and no longer', async () => {
    emulator.setDelivery('redirect')
    emulator.setReadyMs(60_000)
    const { body } = await post({ prompt: 'cat' })
    const hops = () => emulator.requests.filter(({ path }) => body[0].url.endsWith(path)).length
    const answer = await fetch(body[0].url)
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '5')
    assert.equal(hops(), 9)
  })
})
