import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { createTemporaryDirectory } from '@wombat/testing'
import { chooseDestination, nameFor, saveImage } from './save-image.ts'

test('a file is called after the prompt', () => {
  assert.equal(nameFor('a cat'), 'cat')
  assert.equal(nameFor('The Quick, brown FOX!'), 'quick-brown-fox')
  assert.equal(nameFor('кот на крыше'), 'кот-на-крыше')
  assert.equal(nameFor('../../etc/passwd'), 'etc-passwd')
  assert.equal(nameFor('…'), 'image')
  assert.equal(nameFor('x'.repeat(500)).length, 40)
  assert.equal(nameFor('word '.repeat(100)), 'word-word-word-word-word-word-word-word')
})

test('nothing is overwritten, and the extension tells what the bytes are', async () => {
  await using folder = await createTemporaryDirectory()
  const destination = await chooseDestination('a cat', path.join(folder.path, 'new', 'pet.jpg'))
  const bytes = new Uint8Array([1])
  await saveImage(destination, { bytes, contentType: 'image/jpeg' })
  await saveImage(destination, { bytes: new Uint8Array([2]), contentType: 'image/jpeg' })
  await saveImage(destination, { bytes, contentType: 'image/png' })
  assert.deepEqual((await readdir(path.join(folder.path, 'new'))).sort(), ['pet-2.jpg', 'pet.jpg', 'pet.png'])
  assert.deepEqual([...(await readFile(path.join(folder.path, 'new', 'pet.jpg')))], [1])
})

test('a folder takes files called after the prompt', async () => {
  await using folder = await createTemporaryDirectory()
  assert.deepEqual(await chooseDestination('a cat', folder.path), { folder: folder.path, base: 'cat' })
  assert.deepEqual(await chooseDestination('a cat', `${folder.path}/made/`), {
    folder: `${folder.path}/made`,
    base: 'cat',
  })
})
