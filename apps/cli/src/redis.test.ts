import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTemporaryDirectory, createTestDatabase, freePort, startRedis } from '@wombat/testing'
import { runCli, startCli } from './run-cli.ts'

test('a Redis that would throw jobs away is warned about at the start and by the doctor, with the remedy', async () => {
  await using folder = await createTemporaryDirectory()
  await using database = await createTestDatabase()
  await using redis = await startRedis({ args: ['--requirepass', 'hidden', '--maxmemory-policy', 'allkeys-lru'] })
  const REDIS_URL = `redis://:hidden@127.0.0.1:${redis.port}`
  const env = { PORT: String(await freePort()), DATABASE_URL: database.url, REDIS_URL }
  await using server = await startCli(['start'], { folder: folder.path, env })
  const output = await server.until(/wombat\.jpg\n\n/)
  assert.match(output, new RegExp(`Queue +BullMQ on Redis at 127\\.0\\.0\\.1:${redis.port}\n`))
  const { stdout } = await runCli(['doctor', '--json'], { folder: folder.path, env })
  const report = JSON.parse(stdout)
  const [finding, ...rest] = report.checks.filter(({ what }: { what: string }) => what === 'queue')
  assert.equal(finding.outcome, 'warning')
  assert.match(finding.detail, /maxmemory-policy is allkeys-lru/)
  assert.match(finding.remedy, /CONFIG SET maxmemory-policy noeviction/)
  assert.deepEqual(rest, [])
  assert.equal(report.ok, true)
  assert.doesNotMatch(output + stdout, /hidden/)

  await redis.stop()
  const away = await runCli(['doctor'], { folder: folder.path, env })
  assert.equal(away.code, 1)
  assert.match(away.stdout, /queue +Redis at 127\.0\.0\.1:\d+ can't be reached: .*: check REDIS_URL/)
})
