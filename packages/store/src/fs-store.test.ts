import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { describeBlobStore } from './blob-store.suite.ts'
import { FsStore } from './fs-store.ts'

const HOUR_MS = 3_600_000

describeBlobStore('FsStore', async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'wombat-test-'))
  return { store: new FsStore(path.join(dir, 'blobs')), close: () => rm(dir, { recursive: true, force: true }) }
})

describe('FsStore', () => {
  it('leaves no temporary file and no empty folder behind', async () => {
    await using fixture = await makeDirectory()
    const store = new FsStore(fixture.dir)
    await store.put('images/ab/one.jpg', Buffer.from('x'), 'image/jpeg')
    await store.put('images/cd/two.jpg', Buffer.from('x'), 'image/jpeg')
    await store.check()
    await store.remove('images/ab/one.jpg')
    const names = await readdir(fixture.dir, { recursive: true })
    assert.deepEqual(names.sort(), ['images', 'images/cd', 'images/cd/two.jpg', 'unfinished'])
  })

  it('tidies away what was begun more than an hour ago, and nothing else', async () => {
    await using fixture = await makeDirectory()
    const store = new FsStore(fixture.dir)
    await store.put('images/one.jpg', Buffer.from('x'), 'image/jpeg')
    const unfinished = path.join(fixture.dir, 'unfinished')
    await writeFile(path.join(unfinished, 'old'), 'x')
    await writeFile(path.join(unfinished, 'new'), 'x')
    const now = Date.now()
    await utimes(path.join(unfinished, 'old'), 0, (now - HOUR_MS - 1000) / 1000)
    await utimes(path.join(unfinished, 'new'), 0, (now - HOUR_MS + 60_000) / 1000)
    await utimes(path.join(fixture.dir, 'images/one.jpg'), 0, 0)
    await store.tidy(now)
    assert.deepEqual(await readdir(unfinished), ['new'])
    assert.equal(String(await store.read('images/one.jpg')), 'x')
  })

  it('tidies where nothing was ever written', async () => {
    await using fixture = await makeDirectory()
    await new FsStore(path.join(fixture.dir, 'not', 'there')).tidy()
  })

  it('says which directory cannot be used, and why', async () => {
    await using fixture = await makeDirectory()
    const file = path.join(fixture.dir, 'file')
    await writeFile(file, 'not a directory')
    await assert.rejects(new FsStore(file).check(), {
      message: /Images cannot be kept on disk .*file: (ENOTDIR|EEXIST)/,
    })
  })

  it('removes the temporary file when the object cannot take its name', async () => {
    await using fixture = await makeDirectory()
    const store = new FsStore(fixture.dir)
    await mkdir(path.join(fixture.dir, 'images/one.jpg/below'), { recursive: true })
    await assert.rejects(store.put('images/one.jpg', Buffer.from('x'), 'image/jpeg'))
    assert.deepEqual(await readdir(path.join(fixture.dir, 'unfinished')), [])
  })
})

async function makeDirectory() {
  const dir = await mkdtemp(path.join(tmpdir(), 'wombat-test-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}
