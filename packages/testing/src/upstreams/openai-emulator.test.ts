import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createCanvas, loadImage } from '@napi-rs/canvas'
import { type OpenAiEmulator, startOpenAiEmulator } from './openai-emulator.ts'

const ORDER = { model: 'gpt-image-2', prompt: 'a fox', size: '1024x1024', quality: 'low', output_format: 'jpeg' }
const SCHEMA = {
  type: 'object',
  properties: { prompt: { type: 'string' }, alt: { type: 'string' } },
  required: ['prompt', 'alt'],
  additionalProperties: false,
}

describe('the OpenAI emulator', () => {
  let emulator: OpenAiEmulator
  before(async () => {
    emulator = await startOpenAiEmulator()
  })
  after(() => emulator.close())

  const post = async (path: string, body: unknown, authorization = 'Bearer sk-any') => {
    const isForm = body instanceof FormData
    const response = await fetch(`${emulator.url}${path}`, {
      method: 'POST',
      headers: { authorization, ...(!isForm && { 'content-type': 'application/json' }) },
      body: isForm ? body : JSON.stringify(body),
    })
    return { status: response.status, headers: response.headers, body: Object(await response.json()) }
  }

  it('makes real pictures of the size and in the format asked for', async () => {
    for (const output_format of ['png', 'jpeg', 'webp']) {
      const { status, headers, body } = await post('/images/generations', {
        ...ORDER,
        n: 2,
        size: '1792x1008',
        output_format,
      })
      assert.equal(status, 200)
      assert.match(headers.get('x-request-id') ?? '', /^req_/)
      assert.equal(body.data.length, 2)
      const { width, height } = await loadImage(Buffer.from(body.data[0].b64_json, 'base64'))
      assert.deepEqual([width, height, body.output_format], [1792, 1008, output_format])
      assert.equal(emulator.requests.at(-1)?.pictures, 2)
    }
  })

  for (const [change, param] of [
    [{ style: 'vivid' }, 'style'],
    [{ response_format: 'b64_json' }, 'response_format'],
    [{ prompt: '' }, 'prompt'],
    [{ prompt: 'x'.repeat(32_001) }, 'prompt'],
    [{ n: 11 }, 'n'],
    [{ size: '1000x1000' }, 'size'],
    [{ size: '512x512' }, 'size'],
    [{ size: '3840x1024' }, 'size'],
    [{ size: '4096x2048' }, 'size'],
    [{ quality: 'fast' }, 'quality'],
    [{ output_format: 'gif' }, 'output_format'],
    [{ output_format: 'png', output_compression: 50 }, 'output_compression'],
    [{ background: 'transparent' }, 'background'],
    [{ moderation: 'off' }, 'moderation'],
    [{ user: 7 }, 'user'],
  ] as const) {
    it(`refuses ${JSON.stringify(change).slice(0, 60)} in OpenAI's form`, async () => {
      const { status, body } = await post('/images/generations', { ...ORDER, ...change })
      assert.equal(status, 400)
      assert.equal(body.error.param, param)
      assert.deepEqual(Object.keys(body.error), ['message', 'type', 'param', 'code'])
    })
  }

  it('refuses a missing key, an unknown model, an unknown address and a refused word', async () => {
    assert.equal((await post('/images/generations', ORDER, '')).status, 401)
    assert.equal((await post('/images/generations', { ...ORDER, model: 'dall-e-3' })).status, 404)
    assert.equal((await post('/images/variations', ORDER)).status, 404)
    assert.equal(
      (await post('/images/generations', { ...ORDER, prompt: 'x #moderation' })).body.error.code,
      'moderation_blocked',
    )
  })

  it('takes an edit as a form, and only pictures in it', async () => {
    const png = new Uint8Array(createCanvas(16, 16).toBuffer('image/png'))
    const form = (...files: Blob[]): FormData => {
      const data = new FormData()
      for (const [name, value] of Object.entries({ ...ORDER, n: '1' })) {
        data.append(name, value)
      }
      for (const file of files) {
        data.append(files.length > 1 ? 'image[]' : 'image', file, 'reference.png')
      }
      return data
    }
    const picture = new Blob([png], { type: 'image/png' })
    assert.equal((await post('/images/edits', form(picture))).status, 200)
    assert.equal(
      (await post('/images/edits', form(picture, picture))).body.usage.input_tokens_details.image_tokens,
      2048,
    )
    assert.equal((await post('/images/edits', form())).body.error.param, 'image')
    assert.equal((await post('/images/edits', form(new Blob([png])))).body.error.code, 'unsupported_file_mimetype')
    assert.equal(
      (await post('/images/edits', form(new Blob(['noise'], { type: 'image/png' })))).body.error.code,
      'invalid_image_file',
    )
  })

  it('takes only strict schemas that are closed and require every key', async () => {
    const ask = (schema: unknown) =>
      post('/responses', {
        model: 'gpt-6-luna',
        input: 'a fox',
        text: { format: { type: 'json_schema', name: 'x', strict: true, schema } },
      })
    const good = await ask(SCHEMA)
    assert.deepEqual(Object.keys(JSON.parse(good.body.output[0].content[0].text)), ['prompt', 'alt'])
    for (const schema of [{ ...SCHEMA, required: ['alt'] }, { ...SCHEMA, additionalProperties: true }, undefined]) {
      assert.equal((await ask(schema)).body.error.code, 'invalid_json_schema')
    }
    assert.equal((await post('/responses', { model: 'gpt-6-luna', input: 'x', temperature: 1 })).status, 400)
    assert.equal((await post('/responses', { model: 'gpt-6-luna', input: 'x', max_tokens: 9 })).status, 400)
  })

  it('breaks as often as it is told to', async () => {
    emulator.setFault('server_error', { times: 1 })
    assert.equal((await post('/images/generations', ORDER)).status, 500)
    assert.equal((await post('/images/generations', ORDER)).status, 200)
    emulator.setFault('overloaded', { path: '/images/' })
    assert.equal((await post('/responses', { model: 'gpt-6-luna', input: 'x' })).status, 200)
    assert.equal((await post('/images/generations', ORDER)).status, 503)
    emulator.setFault(undefined)
  })
})
