import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_MODEL_ALIASES, MODELS } from './catalogue.ts'
import { ApiError, errorBody } from './errors.ts'
import { FIELDS } from './generation-body.ts'
import { type GenerationOrder, type ModelAliases, parseGenerationRequest } from './generation-request.ts'

const REFERENCE = 'https://example.com/a.png'

function order(fields: Record<string, unknown> = {}, aliases: ModelAliases = DEFAULT_MODEL_ALIASES): GenerationOrder {
  return parseGenerationRequest({ prompt: 'cat', ...fields }, { aliases })
}

function refusal(body: unknown): ApiError {
  try {
    parseGenerationRequest(body, { aliases: DEFAULT_MODEL_ALIASES })
  } catch (error) {
    assert.ok(error instanceof ApiError)
    assert.equal(error.code, 'invalid_request')
    assert.match(error.message, /^[^\n]{10,300}\.$/)
    return error
  }
  assert.fail('was accepted')
}

/** Every place that the refusal complains about. */
function faultyFields({ details, message }: ApiError): unknown[] {
  const issues = details?.issues
  assert.ok(Array.isArray(issues))
  assert.equal(issues[0].message, message)
  assert.equal(issues[0].field, details?.field)
  assert.equal(issues[0].expected, details?.expected)
  return issues.map(({ field }) => field)
}

/** The effective quality, the price of one image, the plan, and what was ignored. */
function terms(model: string | undefined, quality?: unknown): string {
  const { model: id, quality: name, creditsPerImage, requiredPlan, ignoredParams } = order({ model, quality })
  return [id, name, creditsPerImage, requiredPlan, ...ignoredParams].join(' ')
}

test('a prompt alone is a photo by gpt-image-2 at fast', () => {
  assert.deepEqual(order(), {
    prompt: 'cat',
    style: 'photo',
    styleGiven: false,
    model: 'gpt-image-2',
    quality: 'fast',
    size: { width: 1024, height: 1024 },
    numImages: 1,
    enhancePrompt: true,
    generateAltText: false,
    preserveOriginal: false,
    referenceImages: [],
    creditsPerImage: 1,
    requiredPlan: 'basic',
    ignoredParams: [],
  })
})

test('null is the same as absent for every optional field', () => {
  assert.deepEqual(order(Object.fromEntries(FIELDS.slice(1).map((field) => [field, null]))), order())
})

test('everything that was sent is in the order', () => {
  const sent = {
    prompt: ' a dog ',
    style: 'none',
    size: '9:16',
    numImages: '3',
    model: 'gpt-image-2',
    quality: 'high',
    referenceImages: [REFERENCE],
    enhancePrompt: true,
    preserveOriginal: 'true',
    generateAltText: 'true',
  }
  assert.deepEqual(order(sent), {
    prompt: 'a dog',
    style: 'none',
    styleGiven: true,
    model: 'gpt-image-2',
    quality: 'high',
    size: { width: 1008, height: 1792 },
    numImages: 3,
    enhancePrompt: true,
    generateAltText: true,
    preserveOriginal: true,
    referenceImages: [REFERENCE],
    creditsPerImage: 20,
    requiredPlan: 'professional',
    ignoredParams: [],
  })
})

test('gpt-image-2 takes its qualities and their aliases', () => {
  const basic = 'gpt-image-2 fast 1 basic'
  for (const quality of [undefined, null, 'fast', 'low', 'auto', 'standard']) {
    assert.equal(terms(undefined, quality), basic)
    assert.equal(terms('gpt-image-2', quality), basic)
  }
  assert.equal(terms('gpt-image-2', 'medium'), 'gpt-image-2 medium 8 professional')
  assert.equal(terms('gpt-image-2', 'high'), 'gpt-image-2 high 20 professional')
  assert.equal(terms('gpt-image-2', 'hd'), 'gpt-image-2 high 20 professional')
})

test('a quality that only another model knows is ignored, named and priced as the default', () => {
  assert.equal(terms('gpt-image-2', 'turbo'), 'gpt-image-2 fast 1 basic quality')
  for (const quality of ['fast', 'medium', 'high', 'low', 'auto', 'hd']) {
    assert.equal(terms('ideogram-3.0', quality), 'ideogram-3.0 turbo 3 professional quality')
    assert.equal(terms('nano-banana-2', quality), 'nano-banana-2 standard 5 professional quality')
    assert.equal(terms('standard', quality), 'standard standard 1 basic quality')
    assert.equal(terms('premium', quality), 'premium standard 5 professional quality')
  }
  assert.equal(terms('ideogram-3.0', 'standard'), 'ideogram-3.0 turbo 3 professional quality')
  assert.equal(terms('standard', 'turbo'), 'standard standard 1 basic quality')
})

test('a model takes its own quality without a word', () => {
  assert.equal(terms('ideogram-3.0', 'turbo'), 'ideogram-3.0 turbo 3 professional')
  for (const { id, qualities } of MODELS) {
    for (const { name, credits, plan } of qualities) {
      assert.equal(terms(id, name), `${id} ${name} ${credits} ${plan}`)
    }
  }
})

test('a quality that no model knows is refused on every model', () => {
  for (const { id } of MODELS) {
    assert.equal(refusal({ prompt: 'cat', model: id, quality: 'ultra' }).details?.field, 'quality')
  }
})

test('gpt-image-1 is gpt-image-2 with the quality as sent, else medium', () => {
  assert.equal(terms('gpt-image-1'), 'gpt-image-2 medium 8 professional')
  assert.equal(terms('gpt-image-1', null), 'gpt-image-2 medium 8 professional')
  assert.equal(terms('gpt-image-1', 'low'), 'gpt-image-2 fast 1 basic')
  assert.equal(terms('gpt-image-1', 'high'), 'gpt-image-2 high 20 professional')
  assert.equal(terms('gpt-image-1', 'turbo'), 'gpt-image-2 medium 8 professional quality')
})

test('the other aliases lead to their models', () => {
  assert.equal(terms('ideogram-3'), 'ideogram-3.0 turbo 3 professional')
  assert.equal(terms('ideogram-v3'), 'ideogram-3.0 turbo 3 professional')
  assert.equal(terms('nano-banana'), 'nano-banana-2 standard 5 professional')
})

test('aliases may come as a Map, and never replace a model or reach what objects inherit', () => {
  const table = { mine: 'premium', 'gpt-image-2': 'premium', broken: 'no-such-model', 'gpt-image-1': 'premium' }
  for (const aliases of [table, new Map(Object.entries(table))]) {
    assert.equal(order({ model: 'mine' }, aliases).model, 'premium')
    assert.equal(order({ model: 'gpt-image-2' }, aliases).model, 'gpt-image-2')
    assert.equal(order({ model: 'gpt-image-1' }, aliases).quality, 'standard')
    for (const model of ['broken', 'nano-banana', '__proto__', 'constructor', 'get', 'size']) {
      assert.throws(() => order({ model }, aliases), /^ApiError: model must be one of/)
    }
  }
})

test('an unknown model is refused with the list of models', () => {
  for (const model of ['dall-e-3', '', 'GPT-image-2', 'gpt-image-2 ', '__proto__', 'toString']) {
    const { message, details } = refusal({ prompt: 'cat', model })
    assert.match(message, /^model must be one of gpt-image-2, ideogram-3\.0, nano-banana-2, standard, premium, not "/)
    assert.equal(details?.field, 'model')
  }
})

test('styleGiven tells a photo that was asked for from one by default', () => {
  assert.deepEqual([order({ style: 'photo' }).styleGiven, order({ style: null }).styleGiven], [true, false])
})

test('enhancePrompt is on unless style is none, and a value that was sent wins', () => {
  assert.equal(order({ style: 'general' }).enhancePrompt, true)
  assert.equal(order({ style: 'none' }).enhancePrompt, false)
  assert.equal(order({ style: 'none', enhancePrompt: null }).enhancePrompt, false)
  assert.equal(order({ style: 'none', enhancePrompt: 'on' }).enhancePrompt, true)
  assert.equal(order({ style: 'photo', enhancePrompt: 'off' }).enhancePrompt, false)
  assert.equal(order({ enhancePrompt: false }).enhancePrompt, false)
})

test('a size fits its model, and an alias has the sizes of its model', () => {
  assert.deepEqual(order({ size: '832x1216', model: 'gpt-image-1' }).size, { width: 1024, height: 1536 })
  assert.deepEqual(order({ size: '832x1216', model: 'ideogram-v3' }).size, { width: 832, height: 1216 })
  assert.deepEqual(order({ size: '1024x1536', model: 'premium' }).size, { width: 832, height: 1216 })
})

test('references are taken by two models, an empty list by all', () => {
  for (const { id, supportsReferences } of MODELS) {
    assert.deepEqual(order({ model: id, referenceImages: [] }).referenceImages, [])
    assert.deepEqual(order({ model: id, referenceImages: null }).ignoredParams, [])
    if (supportsReferences) {
      assert.deepEqual(order({ model: id, referenceImages: Array(5).fill(REFERENCE) }).referenceImages.length, 5)
    } else {
      const { message } = refusal({ prompt: 'cat', model: id, referenceImages: [REFERENCE] })
      assert.ok(message.startsWith(`referenceImages must be empty or absent for ${id}`), message)
    }
  }
  assert.deepEqual(order({ model: 'nano-banana', referenceImages: [REFERENCE] }).referenceImages, [REFERENCE])
})

test('preserveOriginal is honoured by gpt-image-2, and ignored and named elsewhere when it was true', () => {
  assert.equal(order({ preserveOriginal: true }).preserveOriginal, true)
  for (const { id } of MODELS.slice(1)) {
    const ignored = order({ model: id, preserveOriginal: 'true' })
    assert.deepEqual([ignored.preserveOriginal, ignored.ignoredParams], [false, ['preserveOriginal']])
    assert.deepEqual(order({ model: id, preserveOriginal: false }).ignoredParams, [])
  }
})

test('unknown fields are ignored and named, what has no effect first', () => {
  const fields = { background: 'auto', output_format: null, model: 'standard', quality: 'high', preserveOriginal: true }
  assert.deepEqual(order(fields).ignoredParams, ['quality', 'preserveOriginal', 'background', 'output_format'])
})

test('the names of ignored fields are bounded in number and length, and well-formed', () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field${i}`, i]))
  assert.equal(order(many).ignoredParams.length, 20)
  assert.equal(order({ ...many, model: 'standard', quality: 'high' }).ignoredParams.length, 20)
  assert.equal(order({ ...many, model: 'standard', quality: 'high' }).ignoredParams[0], 'quality')
  assert.deepEqual(order({ ['x'.repeat(64)]: 1 }).ignoredParams, ['x'.repeat(64)])
  assert.deepEqual(order({ ['x'.repeat(65)]: 1, '': 1 }).ignoredParams, ['x'.repeat(64)])
  assert.deepEqual(order({ [`${'x'.repeat(63)}\u{1f428}`]: 1 }).ignoredParams, [`${'x'.repeat(63)}\ufffd`])
})

test('names that objects inherit are unknown fields like others', () => {
  const body: unknown = JSON.parse(
    '{"prompt":"cat","__proto__":{"model":"premium"},"constructor":1,"toString":{},"Prompt":"x"}',
  )
  const parsed = parseGenerationRequest(body, { aliases: {} })
  assert.equal(parsed.model, 'gpt-image-2')
  assert.deepEqual(parsed.ignoredParams, ['__proto__', 'constructor', 'toString', 'Prompt'])
  assert.equal(refusal(JSON.parse('{"__proto__":{"prompt":"cat"}}')).details?.field, 'prompt')
  assert.equal(refusal(Object.create({ prompt: 'cat' })).details?.field, 'prompt')
})

test('a body that is no object is refused', () => {
  for (const body of [undefined, null, [], [{ prompt: 'cat' }], 'cat', '{"prompt":"cat"}', '', 0, 1, true, false]) {
    assert.equal(refusal(body).message, 'The body must be a JSON object such as {"prompt":"cat"}.')
  }
})

const FAULTS = {
  prompt: '',
  style: 'oil',
  size: 'huge',
  numImages: 5,
  model: 'dall-e-3',
  quality: 'ultra',
  referenceImages: 'https://example.com',
  enhancePrompt: 'maybe',
  preserveOriginal: 'yes',
  generateAltText: 1,
}

test('the first fault in the order of the vendor page is reported, and the details have all', () => {
  const remaining = Object.entries(FAULTS)
  while (remaining.length > 0) {
    // The order in which the client wrote them does not matter.
    const error = refusal({ prompt: 'cat', ...Object.fromEntries(remaining.toReversed()) })
    const fields = remaining.map(([field]) => field)
    assert.deepEqual(faultyFields(error), fields)
    assert.ok(error.message.startsWith(`${fields[0]} must be ${String(error.details?.expected)}`), error.message)
    remaining.shift()
  }
})

test('a reference is named by its position', () => {
  const error = refusal({ prompt: 'cat', referenceImages: [REFERENCE, 'ftp://a.b/', 5], numImages: '2' })
  assert.match(error.message, /^referenceImages\[1\] must be an http\(s\) URL/)
  assert.deepEqual(faultyFields(error), ['referenceImages[1]', 'referenceImages[2]'])
})

test('a fault between fields takes its place among the others', () => {
  const error = refusal({ ...FAULTS, prompt: 'cat', model: 'standard', referenceImages: [REFERENCE] })
  assert.deepEqual(
    faultyFields(error),
    Object.keys(FAULTS).filter((field) => field !== 'prompt' && field !== 'model'),
  )
})

test('a refusal repeats little of what was sent, and nothing of a prompt or an address', () => {
  const long = 'z'.repeat(100_000)
  const bodies = [
    Object.fromEntries(FIELDS.map((field) => [field, long])),
    { prompt: `${long}\0`, referenceImages: [`https://user:${long}@example.com`, long, 'zzz://zzz'], [long]: 1 },
    { prompt: [long], numImages: [long], style: { [long]: long }, model: [long], quality: { long }, size: [long] },
  ]
  for (const body of bodies) {
    const error = refusal(body)
    const text = JSON.stringify(errorBody(error, 'req-1'))
    assert.ok(text.length < 5000)
    assert.doesNotMatch(text, /z{41}/)
    assert.doesNotMatch(error.message, /z/)
  }
})

test('no refusal has a key called url, which clients grep for', () => {
  const text = JSON.stringify(errorBody(refusal({ ...FAULTS, model: '"url":"', url: 'x', size: '{"url":"x"}' }), 'url'))
  assert.equal(text.includes('"url":'), false)
})
