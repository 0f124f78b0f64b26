import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { makeDataDir } from './cluster.fixture.ts'

const FIXTURE = fileURLToPath(new URL('./out-of-files.fixture.ts', import.meta.url))

test('a process that may open no more files does not take the server for ended, and reaches it later', async () => {
  await using place = await makeDataDir()
  const shell = ['-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath, FIXTURE, place.dataDir]
  const { stdout } = await promisify(execFile)('sh', shell, { env: { PATH: '/usr/bin:/bin' } })
  assert.deepEqual(JSON.parse(stdout), { found: 'EMFILE', rows: 1 })
})
