import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newImageId, parseImageName } from './image-id.ts'

const ID = 'v2-k3v9qa0zt-81hd72nxe'

test('an id is two groups of nine base36 characters', () => {
  for (let i = 0; i < 1000; i++) {
    assert.match(newImageId(), /^v2-[0-9a-z]{9}-[0-9a-z]{9}$/)
  }
})

test('every character of an id is random and all 36 are equally likely', () => {
  const count = 10_000
  const ids = Array.from({ length: count }, newImageId)
  assert.equal(new Set(ids).size, count)
  const total = new Map<string, number>()
  for (const position of [...Array(9).keys()].flatMap((i) => [3 + i, 13 + i])) {
    const seen = new Set(ids.map((id) => id.charAt(position)))
    assert.equal(seen.size, 36, `position ${position}`)
  }
  for (const character of ids.join('').replaceAll('v2-', '').replaceAll('-', '')) {
    total.set(character, (total.get(character) ?? 0) + 1)
  }
  const expected = (count * 18) / 36
  for (const [character, times] of total) {
    assert.ok(Math.abs(times - expected) < 7 * Math.sqrt(expected), `${character}: ${times}`)
  }
})

test('a name is read with every extension of ours and without one', () => {
  for (const extension of ['', '.jpg', '.jpeg', '.png', '.webp', '.JPG', '.Jpeg', '.PNG', '.WebP']) {
    assert.deepEqual(parseImageName(ID + extension), { id: ID, wantsStatus: false })
  }
  assert.deepEqual(parseImageName(`${ID}.json`), { id: ID, wantsStatus: true })
  assert.deepEqual(parseImageName(`${ID}.JSON`), { id: ID, wantsStatus: true })
})

test('a name in upper case is the same image', () => {
  assert.deepEqual(parseImageName(`${ID.toUpperCase()}.JPG`), { id: ID, wantsStatus: false })
})

test('a new id reads back as itself', () => {
  const id = newImageId()
  assert.deepEqual(parseImageName(`${id}.jpg`), { id, wantsStatus: false })
})

test('a name of another shape is no image', () => {
  const names = [
    '',
    'v2',
    'v2-',
    'v2-cnfjk-1g1wf.jpg',
    'v3-k3v9qa0zt-81hd72nxe.jpg',
    'k3v9qa0zt-81hd72nxe.jpg',
    'v2-k3v9qa0zt-81hd72nx.jpg',
    'v2-k3v9qa0zt-81hd72nxee.jpg',
    'v2-k3v9qa0zt81hd72nxe.jpg',
    'v2-k3v9qa0z_-81hd72nxe.jpg',
    'v2-k3v9qa0zé-81hd72nxe.jpg',
    `${ID}.`,
    `${ID}.gif`,
    `${ID}.jpg.`,
    `${ID}.jpg.json`,
    `${ID}jpg`,
    `${ID}.jpg\n`,
    `${ID}\n`,
    `\n${ID}`,
    ` ${ID}`,
    `${ID}.jpg?x`,
    `../${ID}.jpg`,
    `${ID}\0.jpg`,
    ID.replace('k', '\u212a'),
    ID.padEnd(100_000, 'x'),
  ]
  for (const name of names) {
    assert.equal(parseImageName(name), undefined, JSON.stringify(name.slice(0, 40)))
  }
})
