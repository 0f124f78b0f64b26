import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { createTemporaryDirectory } from './temporary-directory.ts'

test('a temporary directory goes with its scope', async () => {
  let directory: string
  {
    await using temporary = await createTemporaryDirectory()
    directory = temporary.path
    await writeFile(path.join(directory, 'file'), 'x')
    assert.ok(existsSync(directory))
  }
  assert.ok(!existsSync(directory))
})
