import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ALIAS_DEFAULT_QUALITIES,
  assertCatalogue,
  DEFAULT_MODEL_ALIASES,
  findQuality,
  isModelId,
  MODELS,
  modelEntry,
} from './catalogue.ts'

test('the price list is the one of the vendor, in its order', () => {
  const list = MODELS.flatMap(({ id, qualities }) => qualities.map(({ name, credits }) => `${id} ${name} ${credits}`))
  assert.deepEqual(list, [
    'gpt-image-2 fast 1',
    'gpt-image-2 medium 8',
    'gpt-image-2 high 20',
    'ideogram-3.0 turbo 3',
    'nano-banana-2 standard 5',
    'standard standard 1',
    'premium standard 5',
  ])
})

test('gpt-image-2 at fast and standard are on all plans, everything else needs the Professional Plan', () => {
  const gated = MODELS.flatMap(({ id, qualities }) => qualities.map(({ name, plan }) => `${id} ${name} ${plan}`))
  assert.deepEqual(
    gated.filter((line) => line.endsWith(' basic')),
    ['gpt-image-2 fast basic', 'standard standard basic'],
  )
})

test('only the models of the vendor page take references, keep originals and are deprecated', () => {
  const where = (has: (model: (typeof MODELS)[number]) => boolean) => MODELS.filter(has).map(({ id }) => id)
  assert.deepEqual(
    where((model) => model.supportsReferences),
    ['gpt-image-2', 'nano-banana-2'],
  )
  assert.deepEqual(
    where((model) => model.honoursPreserveOriginal),
    ['gpt-image-2'],
  )
  assert.deepEqual(
    where((model) => model.deprecated),
    ['standard', 'premium'],
  )
  assert.deepEqual(
    where((model) => model.sizes === 'native'),
    ['gpt-image-2'],
  )
})

test('a catalogue is refused when something sold has no positive integer price', () => {
  assertCatalogue()
  const model = modelEntry('ideogram-3.0')
  for (const credits of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    const broken = { ...model, qualities: [{ name: 'turbo', credits, plan: 'basic' }] } as const
    assert.throws(() => assertCatalogue([broken]), /ideogram-3\.0 at turbo .* positive integer/)
  }
})

test('a catalogue is refused when an alias leads to a quality that is not sold', () => {
  const broken = { ...modelEntry('standard'), qualityAliases: { hd: 'high' } } as const
  assert.throws(() => assertCatalogue([broken]), /standard takes hd for high/)
})

test('every alias leads to a model, and its own default quality is one of that model', () => {
  for (const [alias, id] of Object.entries(DEFAULT_MODEL_ALIASES)) {
    assert.ok(isModelId(id), alias)
    assert.ok(!isModelId(alias), alias)
  }
  for (const [alias, quality] of Object.entries(ALIAS_DEFAULT_QUALITIES)) {
    const id = DEFAULT_MODEL_ALIASES[alias] ?? ''
    assert.ok(isModelId(id) && findQuality(modelEntry(id), quality), alias)
  }
})

test('names that every object inherits are neither models nor qualities', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '']) {
    assert.equal(isModelId(name), false)
    assert.equal(findQuality(modelEntry('gpt-image-2'), name), undefined)
  }
})
