import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'

test('nothing here needs Node, so that it runs in a browser', async () => {
  const files = (await readdir(import.meta.dirname)).filter((file) => !file.endsWith('.test.ts'))
  assert.ok(files.length > 5)
  for (const file of files) {
    const source = await readFile(`${import.meta.dirname}/${file}`, 'utf8')
    for (const [, name] of source.matchAll(/from '([^']+)'/g)) {
      assert.ok(name === 'zod' || name?.startsWith('./'), `${file} imports ${name}`)
    }
    assert.doesNotMatch(source, /\b(Buffer|process|require)\b[.(]/, file)
  }
})
