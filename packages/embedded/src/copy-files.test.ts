import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { copyTree } from './copy-files.ts'

test('a copy that fails has ended when it says so: what it has left can be removed', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'wombat-test-'))
  const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')]
  await mkdir(from)
  await Promise.all(Array.from({ length: 500 }, (_, n) => writeFile(path.join(from, `${n}`), 'wombat')))
  for (let attempt = 0; attempt < 5; attempt += 1) {
    let written = 0
    const copy = copyTree({
      from,
      to,
      stop: new AbortController().signal,
      onBytes() {
        written += 1
        if (written === 40) {
          throw new Error('the disk is full')
        }
      },
    })
    await assert.rejects(copy, /the disk is full/)
    const atItsEnd = written
    await rm(to, { recursive: true })
    assert.equal(written, atItsEnd)
  }
  assert.deepEqual(await readdir(folder), ['from'])
  await rm(folder, { recursive: true })
})
