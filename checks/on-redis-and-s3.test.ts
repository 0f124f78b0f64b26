/** Every suite that starts a server does so on both queues and both stores, or says why not. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'

const CHECKS = import.meta.dirname
const STARTS_SERVERS = /from '\.\/(server|webhook|admin)-fixture\.ts'/
const REASON = /^\/\/ Not once more on Redis and S3: .{20,}$/m
const AGAIN = /^await import\('\.\.\/([a-z0-9-]+\.test\.ts)'\)$/gm

const read = (file: string) => readFileSync(path.join(CHECKS, file), 'utf8')
const again = globSync('on-redis-and-s3/*.test.ts', { cwd: CHECKS }).flatMap((file) =>
  [...read(file).matchAll(AGAIN)].map(([, name = '']) => name),
)

test('a suite is run once more, or has a reason', () => {
  const suites = globSync('*.test.ts', { cwd: CHECKS }).filter((file) => STARTS_SERVERS.test(read(file)))
  assert.ok(suites.length > 50)
  for (const file of suites) {
    assert.notEqual(again.includes(file), REASON.test(read(file)), file)
  }
})

test('no suite is run a third time', () => {
  assert.deepEqual([...new Set(again)], again)
})
