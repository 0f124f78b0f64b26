import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import { type GeminiEmulator, startGeminiEmulator } from './gemini-emulator.ts'

const PNG = createCanvas(16, 16).toBuffer('image/png').toString('base64')
const CONTENTS = [{ role: 'user', parts: [{ text: 'a fox' }] }]
const CONFIG = { responseModalities: ['IMAGE'], imageConfig: { aspectRatio: '1:1', imageSize: '1K' } }
const PATH = '/v1beta/models/gemini-3.1-flash-image:generateContent'
const KEY = { 'x-goog-api-key': 'AIza-right' }

describe('the Gemini emulator', () => {
  let emulator: GeminiEmulator
  before(async () => {
    emulator = await startGeminiEmulator({ keys: ['AIza-right'] })
  })
  afterEach(() => emulator.setFault(undefined))
  after(() => emulator.close())

  const call = async (
    body: unknown,
    { path = PATH, headers = KEY, method = 'POST' }: { path?: string; headers?: object; method?: string } = {},
  ) => {
    const response = await fetch(`${emulator.origin}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'POST' && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, body: text.startsWith('{') ? Object(JSON.parse(text)) : undefined }
  }
  const order = (imageConfig: object, rest: object = {}) => ({
    contents: CONTENTS,
    generationConfig: { ...CONFIG, imageConfig, ...rest },
  })
  const withParts = (...parts: object[]) => ({ contents: [{ role: 'user', parts }], generationConfig: CONFIG })
  const inline = (mimeType: string, data = PNG) => ({ inlineData: { mimeType, data } })

  for (const [imageConfig, pixels, tokens] of [
    [{}, [1024, 1024], 1120],
    [{ aspectRatio: '16:9' }, [1376, 768], 1120],
    [{ aspectRatio: '1:8', imageSize: '1K' }, [352, 2928], 1120],
    [{ aspectRatio: '3:2', imageSize: '512' }, [632, 424], 747],
    [{ aspectRatio: '21:9', imageSize: '2K' }, [3168, 1344], 1680],
    [{ aspectRatio: '1:1', imageSize: '4K' }, [4096, 4096], 2520],
  ] as const) {
    it(`makes a JPEG of ${pixels.join('x')} for ${JSON.stringify(imageConfig)}`, async () => {
      const { status, body } = await call(order(imageConfig))
      assert.equal(status, 200)
      const [part] = body.candidates[0].content.parts
      assert.equal(part.inlineData.mimeType, 'image/jpeg')
      const bytes = Buffer.from(part.inlineData.data, 'base64')
      assert.equal(bytes.toString('latin1', 0, 3), '\xff\xd8\xff')
      const { width, height } = await loadImage(bytes)
      assert.deepEqual([width, height], pixels)
      assert.deepEqual(body.usageMetadata.candidatesTokensDetails, [{ modality: 'IMAGE', tokenCount: tokens }])
      assert.equal(emulator.requests.at(-1)?.pictures, 1)
    })
  }

  it('says a word before the picture unless only a picture is asked for', async () => {
    for (const generationConfig of [undefined, {}, { responseModalities: ['TEXT', 'IMAGE'] }]) {
      const { body } = await call({ contents: CONTENTS, ...(generationConfig && { generationConfig }) })
      assert.deepEqual(Object.keys(body.candidates[0].content.parts[0]), ['text'])
      assert.ok(body.candidates[0].content.parts[1].inlineData)
    }
    const { body } = await call({ contents: CONTENTS, generationConfig: { responseModalities: ['TEXT'] } })
    assert.equal(body.candidates[0].content.parts.length, 1)
    assert.equal(emulator.requests.at(-1)?.pictures, 0)
  })

  for (const [name, body, message] of [
    ['a field', { contents: CONTENTS, prompt: 'x' }, /Unknown name "prompt": Cannot find field\.$/],
    [
      'a field of a content',
      { contents: [{ ...CONTENTS[0], name: 'x' }] },
      /Unknown name "name" at 'contents\[0\]': Cannot find field\.$/,
    ],
    ['a field of a part', withParts({ text: 'x', image: 1 }), /Unknown name "image" at 'contents\[0\]\.parts\[0\]'/],
    [
      'a field of a file',
      withParts({ inlineData: { mimeType: 'image/png', data: PNG, name: 'x' } }),
      /Unknown name "name" at 'contents\[0\]\.parts\[0\]\.inline_data'/,
    ],
    ['the name of the SDK', { contents: CONTENTS, config: CONFIG }, /Unknown name "config"/],
    ['a setting', order({}, { aspectRatio: '1:1' }), /Unknown name "aspectRatio" at 'generation_config'/],
    [
      'a setting of the picture',
      order({ aspectRatio: '1:1', size: '1K' }),
      /^Invalid JSON payload received\. Unknown name "size" at 'generation_config\.image_config': Cannot find field\.$/,
    ],
    [
      'a field of a safety setting',
      { contents: CONTENTS, safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', level: 1 }] },
      /Unknown name "level" at 'safety_settings\[0\]'/,
    ],
    [
      'a text that is none',
      withParts({ text: 7 }),
      /Invalid value at 'contents\[0\]\.parts\[0\]\.text' \(TYPE_STRING\), 7/,
    ],
    ['bytes that are no base64', withParts(inline('image/png', 'no base64!')), /Base64 decoding failed/],
    ['a modality in small letters', order({}, { responseModalities: ['image'] }), /response_modalities\[0\]/],
    ['a modality of another model', order({}, { responseModalities: ['AUDIO'] }), /does not support/],
    ['one modality without a list', order({}, { responseModalities: 'IMAGE' }), /response_modalities'/],
    ['two candidates', order({}, { candidateCount: 2 }), /Multiple candidates/],
    ['a ratio of Vertex', order({ aspectRatio: '9:21' }), /aspect_ratio must be one of '1:1', .*, or '21:9'\.$/],
    ['a ratio with a cross', order({ aspectRatio: '16x9' }), /image_config\.aspect_ratio: aspect_ratio must be one of/],
    ['a size in small letters', order({ imageSize: '1k' }), /image_config\.image_size: image_size must be one of/],
    ['a size in pixels', order({ imageSize: '1024x1024' }), /image_size must be one of/],
    ['no contents', { contents: [] }, /contents is not specified/],
    ['no parts', withParts(), /contents\[0\]\.parts/],
    ['an empty part', withParts({}), /must have one initialized field/],
    ['a part that is two things', withParts({ text: 'x', ...inline('image/png') }), /must have one initialized field/],
    ['another role', { contents: [{ role: 'system', parts: [{ text: 'x' }] }] }, /valid role: user, model/],
    ['image/jpg', withParts({ text: 'x' }, inline('image/jpg')), /^Unsupported MIME type: image\/jpg$/],
    ['image/gif', withParts({ text: 'x' }, inline('image/gif')), /^Unsupported MIME type/],
    ['a wrong type', withParts({ text: 'x' }, inline('image/webp')), /mime type: image\/png$/],
    ['noise', withParts({ text: 'x' }, inline('image/png', 'bm9pc2U=')), /^Unable to process input image/],
    ['15 pictures', withParts(...Array.from({ length: 15 }, () => inline('image/png'))), /fewer than 15 images/],
    ['what is no JSON', '{"contents": [', /^Invalid JSON payload/],
    ['a list', [], /^Invalid JSON payload/],
  ] as const) {
    it(`refuses ${name} in Google's form`, async () => {
      const { status, body: answer } = await call(body)
      assert.equal(status, 400)
      assert.deepEqual([answer.error.code, answer.error.status], [400, 'INVALID_ARGUMENT'])
      assert.match(answer.error.message.trim(), message)
      assert.equal(emulator.requests.at(-1)?.pictures, 0)
    })
  }

  it('takes 14 pictures, and counts them', async () => {
    const { status, body } = await call(
      withParts({ text: 'fox!' }, ...Array.from({ length: 14 }, () => inline('image/png'))),
    )
    assert.equal(status, 200)
    assert.equal(body.usageMetadata.promptTokenCount, 1 + 14 * 1120)
  })

  it('refuses a body of more than 100 MB in words, and another type of body', async () => {
    const long = JSON.stringify(withParts({ text: 'x'.repeat(100 * 1024 * 1024) }))
    assert.match((await call(long)).body.error.message, /^Request payload size exceeds the limit: 104857600 bytes\.$/)
    assert.equal(
      (await call(withParts({ text: 'x' }), { headers: { ...KEY, 'content-type': 'text/plain' } })).status,
      400,
    )
  })

  it('takes the key in its header only', async () => {
    const wrong = await call(order({}), { headers: { 'x-goog-api-key': 'AIza-wrong' } })
    assert.deepEqual([wrong.status, wrong.body.error.details[0].reason], [400, 'API_KEY_INVALID'])
    for (const headers of [{}, { authorization: 'Bearer AIza-right' }]) {
      const none = await call(order({}), { headers, path: `${PATH}?key=AIza-right` })
      assert.deepEqual([none.status, none.body.error.status], [403, 'PERMISSION_DENIED'])
    }
    assert.match((await call(order({}), { path: `${PATH}?size=1K` })).body.error.message, /Cannot bind query parameter/)
  })

  it('knows its models, no other path and no other method', async () => {
    const model = '/v1beta/models/gemini-3.1-flash-image'
    assert.equal((await call('', { path: model, method: 'GET' })).body.name, 'models/gemini-3.1-flash-image')
    const retired = await call(order({}), { path: '/v1beta/models/gemini-3.1-flash-image-preview:generateContent' })
    assert.deepEqual([retired.status, retired.body.error.status], [404, 'NOT_FOUND'])
    for (const [path, method] of [
      [PATH, 'GET'],
      [model, 'POST'],
      [`${model}:predict`, 'POST'],
      [PATH.replace('v1beta', 'v1'), 'POST'],
    ] as const) {
      const { status, text } = await call(order({}), { path, method })
      assert.equal(status, 404)
      assert.match(text, /^<!DOCTYPE html>/)
    }
  })

  it('refuses a prompt, puts a draft before the picture, and breaks as often as it is told to', async () => {
    const { status, body } = await call(withParts({ text: 'a #moderation fox' }))
    assert.deepEqual([status, body.promptFeedback.blockReason, body.candidates], [200, 'PROHIBITED_CONTENT', undefined])
    assert.equal(emulator.requests.at(-1)?.pictures, 0)
    emulator.setThoughts(true)
    const thoughtful = await call(order({}))
    emulator.setThoughts(false)
    assert.deepEqual(
      thoughtful.body.candidates[0].content.parts.map((part: { thought?: boolean }) => part.thought),
      [true, true, undefined],
    )
    emulator.setFault('unavailable', { times: 1 })
    assert.equal((await call(order({}))).status, 503)
    assert.equal((await call(order({}))).status, 200)
  })
})
