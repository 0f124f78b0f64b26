import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MODELS } from './catalogue.ts'
import { effectiveSize, formatSize, LISTED_SIZES, NATIVE_SIZES, parseSize, type Size } from './sizes.ts'

const LISTED_MODELS = MODELS.map((model) => model.id).filter((id) => id !== 'gpt-image-2')

const MALFORMED = [
  '',
  ' ',
  '1024',
  '1024x',
  'x1024',
  '1024x1024x1024',
  '1024X1024',
  '1024×1024',
  '1024*1024',
  ' 1024x1024',
  '1024x1024 ',
  '1024x1024\n',
  '1024 x 1024',
  '-512x512',
  '+512x512',
  '512.5x512',
  '1e3x1e3',
  '0x0',
  '01024x1024',
  '63x1024',
  '1024x63',
  '4097x1024',
  '1024x4097',
  '10000x1024',
  '99999999999999999999x1',
  '0:1',
  '1:0',
  '16:9:1',
  '1.91:1',
  '16/9',
  '10000:1',
  'auto',
  'Square',
  'huge',
  '__proto__',
  '１０２４x１０２４',
]

const fit = (model: (typeof MODELS)[number]['id'], size?: string) => {
  const effective = effectiveSize(model, size)
  return effective && formatSize(effective)
}

test('no size means 1024x1024 on every model', () => {
  for (const { id } of MODELS) {
    assert.equal(fit(id), '1024x1024')
  }
})

test('a malformed size is refused on every model', () => {
  for (const size of MALFORMED) {
    assert.equal(parseSize(size), undefined, size)
    for (const { id } of MODELS) {
      assert.equal(effectiveSize(id, size), undefined, `${id} ${size}`)
    }
  }
})

test('sides from 64 to 4096 are well-formed', () => {
  for (const size of ['64x64', '64x4096', '4096x64', '4096x4096']) {
    assert.ok(parseSize(size), size)
  }
})

test('every listed size is made pixel for pixel by every model but gpt-image-2', () => {
  assert.equal(LISTED_SIZES.length, 11)
  for (const size of LISTED_SIZES.map(formatSize)) {
    for (const model of LISTED_MODELS) {
      assert.equal(fit(model, size), size)
    }
  }
})

test('gpt-image-2 makes its native sizes and snaps the others by their shape', () => {
  const expected = {
    '1024x1024': '1024x1024',
    '1152x896': '1536x1024',
    '1216x832': '1536x1024',
    '1344x768': '1792x1008',
    '1536x640': '1792x1008',
    '640x1536': '1008x1792',
    '768x1344': '1008x1792',
    '832x1216': '1024x1536',
    '896x1152': '1024x1536',
    '1792x1008': '1792x1008',
    '1008x1792': '1008x1792',
    '1536x1024': '1536x1024',
    '1024x1536': '1024x1536',
    '1792x1024': '1792x1008',
    '1024x1792': '1008x1792',
    '64x64': '1024x1024',
    '4096x4095': '1024x1024',
    '4096x64': '1792x1008',
    '64x4096': '1008x1792',
    '1:1': '1024x1024',
    '5:4': '1536x1024',
    '4:3': '1536x1024',
    '3:2': '1536x1024',
    '16:9': '1792x1008',
    '21:9': '1792x1008',
    '9:21': '1008x1792',
    '9:16': '1008x1792',
    '2:3': '1024x1536',
    '3:4': '1024x1536',
    '4:5': '1024x1536',
    square: '1024x1024',
    landscape: '1536x1024',
    portrait: '1024x1536',
  }
  for (const [size, native] of Object.entries(expected)) {
    assert.equal(fit('gpt-image-2', size), native, size)
  }
})

test('the other models have a size for every shorthand and the nearest for every other shape', () => {
  const expected = {
    '1:1': '1024x1024',
    '5:4': '1152x896',
    '4:3': '1152x896',
    '3:2': '1216x832',
    '16:9': '1344x768',
    '21:9': '1536x640',
    '9:21': '640x1536',
    '9:16': '768x1344',
    '2:3': '832x1216',
    '3:4': '896x1152',
    '4:5': '896x1152',
    square: '1024x1024',
    landscape: '1216x832',
    portrait: '832x1216',
    '512x512': '1024x1024',
    '1536x1024': '1216x832',
    '1024x1536': '832x1216',
    '1792x1024': '1344x768',
    '1920x1080': '1792x1008',
    '9999:1': '1536x640',
    '1:9999': '640x1536',
  }
  for (const [size, listed] of Object.entries(expected)) {
    for (const model of LISTED_MODELS) {
      assert.equal(fit(model, size), listed, `${model} ${size}`)
    }
  }
})

test('snapping changes between two shapes at their geometric mean', () => {
  // Between 1:1 and 3:2 that is the square root of 1.5, about 1.22474.
  assert.equal(fit('gpt-image-2', '2449:2000'), '1024x1024')
  assert.equal(fit('gpt-image-2', '2450:2000'), '1536x1024')
  assert.equal(fit('gpt-image-2', '2000:2449'), '1024x1024')
  assert.equal(fit('gpt-image-2', '2000:2450'), '1024x1536')
})

test('a size and the same size on its side snap to mirrored sizes', () => {
  const flip = ({ width, height }: Size) => ({ width: height, height: width })
  for (let width = 64; width <= 4096; width += 61) {
    for (let height = 64; height <= 4096; height += 97) {
      for (const model of ['gpt-image-2', 'premium'] as const) {
        const upright = effectiveSize(model, `${width}x${height}`)
        const lying = effectiveSize(model, `${height}x${width}`)
        assert.ok(upright && lying)
        assert.deepEqual(flip(upright), lying)
        assert.ok((model === 'premium' ? LISTED_SIZES : NATIVE_SIZES).includes(upright))
      }
    }
  }
})
