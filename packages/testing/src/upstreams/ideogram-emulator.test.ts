import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { loadImage } from '@napi-rs/canvas'
import { type IdeogramEmulator, startIdeogramEmulator } from './ideogram-emulator.ts'
import { IDEOGRAM_LINKS, IDEOGRAM_ORDERS } from './ideogram-faults.ts'
import { RESOLUTIONS } from './ideogram-rules.ts'

const ORDER: Readonly<Record<string, string>> = { prompt: 'a fox', rendering_speed: 'TURBO', magic_prompt: 'OFF' }

describe('the Ideogram emulator', () => {
  let emulator: IdeogramEmulator
  before(async () => {
    emulator = await startIdeogramEmulator({ keys: ['key'] })
  })
  after(() => emulator.close())

  const post = async (fields: Readonly<Record<string, string>>, files: Readonly<Record<string, Blob>> = {}) => {
    const body = new FormData()
    for (const [name, value] of Object.entries(fields)) {
      body.append(name, value)
    }
    for (const [name, file] of Object.entries(files)) {
      body.append(name, file, 'picture')
    }
    return answerOf(
      fetch(`${emulator.url}/v1/ideogram-v3/generate`, { method: 'POST', headers: { 'Api-Key': 'key' }, body }),
    )
  }
  const answerOf = async (asked: Promise<Response>) => {
    const response = await asked
    return { status: response.status, body: Object(await response.json()) }
  }

  it('answers links to real pictures of the size asked for, which it forgets to nobody who has them', async () => {
    const { status, body } = await post({ ...ORDER, resolution: '1344x768', num_images: '2', seed: '7' })
    assert.equal(status, 200)
    assert.match(body.created, /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/)
    assert.equal(body.data.length, 2)
    const [{ url, ...rest }] = body.data
    assert.deepEqual(rest, {
      prompt: 'a fox',
      resolution: '1344x768',
      is_image_safe: true,
      seed: 7,
      style_type: 'GENERAL',
    })
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/api\/images\/ephemeral\/[\w-]+\.png\?exp=\d{10}&sig=[0-9a-f]{64}$/)
    assert.equal(emulator.requests.at(-1)?.pictures, 2)
    for (let times = 0; times < 2; times += 1) {
      const picture = await fetch(url)
      assert.equal(picture.headers.get('content-type'), 'image/png')
      const { width, height } = await loadImage(Buffer.from(await picture.arrayBuffer()))
      assert.deepEqual([width, height], [1344, 768])
    }
    assert.equal((await fetch(url.replace(/exp=\d/, 'exp=9'))).status, 403)
  })

  it('makes a square without a size, and the largest of a ratio', async () => {
    for (const [fields, resolution] of [
      [{}, '1024x1024'],
      [{ aspect_ratio: '1x1' }, '1024x1024'],
      [{ aspect_ratio: '16x9' }, '1312x736'],
      [{ aspect_ratio: '1x3' }, '512x1536'],
    ] as const) {
      assert.equal((await post({ ...ORDER, ...fields })).body.data[0].resolution, resolution)
    }
  })

  it('knows 69 resolutions, each of a ratio of its own and with its counterpart', () => {
    const ratios = RESOLUTIONS.map((resolution) => Number(resolution.split('x')[0]) / Number(resolution.split('x')[1]))
    assert.deepEqual([RESOLUTIONS.length, new Set(ratios).size], [69, 69])
    const turned = RESOLUTIONS.map((resolution) => resolution.split('x').reverse().join('x'))
    assert.deepEqual(turned.sort(), [...RESOLUTIONS].sort())
  })

  for (const change of [
    { prompt: '' },
    { resolution: '1792x1008' },
    { resolution: '1344x768', aspect_ratio: '16x9' },
    { aspect_ratio: '21x9' },
    { rendering_speed: 'turbo' },
    { magic_prompt: 'off' },
    { num_images: '0' },
    { num_images: '9' },
    { seed: '2147483648' },
    { style_type: 'PHOTO' },
    { style_codes: '12ab34cd', style_type: 'GENERAL' },
    { style_codes: 'red' },
    { color_palette: 'PASTEL' },
    { color_palette: '{"members":[{"color_hex":"red"}]}' },
    { image_size: 'large' },
    { constructor: 'x' },
  ]) {
    it(`refuses ${JSON.stringify(change)}`, async () => {
      const { status, body } = await post({ ...ORDER, ...change })
      assert.equal(status, 400)
      assert.deepEqual(Object.keys(body), ['type', 'title', 'detail', 'status'])
      assert.equal(emulator.requests.at(-1)?.pictures, 0)
    })
  }

  it('takes what the document allows', async () => {
    const palette = '{"members":[{"color_hex":"#B470B3","color_weight":0.5}]}'
    const fields = { ...ORDER, color_palette: palette, style_codes: '12ab34cd', negative_prompt: 'cats' }
    assert.equal((await post(fields)).status, 200)
    assert.equal(
      (await post({ ...ORDER, color_palette: '{"name":"PASTEL"}', style_preset: 'OIL_PAINTING' })).status,
      200,
    )
    const png = new Blob(['picture'], { type: 'image/png' })
    assert.equal((await post(ORDER, { style_reference_images: png })).status, 200)
    assert.equal((await post(ORDER, { character_reference_images_mask: png })).status, 400)
    assert.equal((await post(ORDER, { image: png })).status, 400)
    assert.equal((await post(ORDER, { style_reference_images: new Blob(['gif'], { type: 'image/gif' }) })).status, 400)
  })

  it('refuses a missing prompt, key, form and address, and what is indecent, each in its way', async () => {
    const url = `${emulator.url}/v1/ideogram-v3/generate`
    const headers = { 'Api-Key': 'key', 'content-type': 'application/json' }
    assert.equal((await post({ rendering_speed: 'TURBO' })).status, 400)
    const method = 'POST'
    assert.equal((await answerOf(fetch(url, { method, headers, body: JSON.stringify(ORDER) }))).status, 415)
    assert.equal((await answerOf(fetch(url, { method, headers: { 'Api-Key': 'other' } }))).status, 401)
    assert.equal((await answerOf(fetch(url, { method, headers: { authorization: 'Bearer key' } }))).status, 401)
    assert.equal((await answerOf(fetch(url, { headers }))).status, 405)
    assert.equal((await answerOf(fetch(`${emulator.url}/v1/ideogram-v3/remix`, { method, headers }))).status, 404)
    assert.deepEqual(await post({ ...ORDER, prompt: 'a #moderation fox' }), {
      status: 422,
      body: { error: 'Prompt provided failed safety check due to the inclusion of prohibited content.' },
    })
  })

  it('breaks orders and links apart from each other', async () => {
    emulator.setFault('server_error', { path: IDEOGRAM_ORDERS, times: 1 })
    assert.equal((await post(ORDER)).status, 500)
    assert.equal(emulator.requests.at(-1)?.pictures, 0)
    emulator.setFault('not_found', { path: IDEOGRAM_LINKS, times: 1 })
    const { url } = (await post(ORDER)).body.data[0]
    assert.equal((await fetch(url)).status, 404)
    assert.equal((await fetch(url)).status, 200)
    for (const [fault, status] of [
      ['dead_link', 404],
      ['expired_link', 403],
    ] as const) {
      emulator.setFault(fault, { times: 1 })
      assert.equal((await fetch((await post(ORDER)).body.data[0].url)).status, status)
    }
  })
})
