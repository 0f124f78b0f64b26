import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { findNewestLog, readTail, tidyLog } from './log.ts'

const DAY_MS = 24 * 3_600_000

test('logs that are too large or from last week go, and nothing else', async () => {
  await using place = await makeCluster()
  const now = Date.now()
  await addLog(place.dir, 'postgres-Mon.log', now - 7 * DAY_MS)
  await addLog(place.dir, 'postgres-Tue.log', now - 5 * DAY_MS)
  await addLog(place.dir, 'notes.txt', now - 30 * DAY_MS)
  await truncate(await addLog(place.dir, 'postgres-Wed.log', now), 5_000_000)
  await tidyLog(place.dir, { now })
  assert.deepEqual((await readdir(path.join(place.dir, 'log'))).sort(), ['notes.txt', 'postgres-Tue.log'])
})

test('the newest log is found, and its end is read', async () => {
  await using place = await makeCluster()
  const now = Date.now()
  await addLog(place.dir, 'postgres-Mon.log', now - DAY_MS)
  const newest = await addLog(place.dir, 'postgres-Tue.log', now)
  await writeFile(newest, `${'early '.repeat(1000)}and late\n`)
  assert.equal(await findNewestLog(place.dir), newest)
  assert.match(await readTail(newest), /^[early ]{1990,}and late$/)
})

test('a cluster without logs has no newest and no end of one', async () => {
  await using place = await makeCluster()
  const nowhere = path.join(place.dir, 'nowhere')
  await tidyLog(nowhere, { now: Date.now() })
  assert.equal(await findNewestLog(nowhere), undefined)
  assert.equal(await readTail(undefined), '')
  assert.equal(await readTail(nowhere), '')
})

async function makeCluster() {
  const dir = await mkdtemp(path.join(tmpdir(), 'wombat-test-'))
  await mkdir(path.join(dir, 'log'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
}

async function addLog(clusterDir: string, name: string, mtimeMs: number): Promise<string> {
  const file = path.join(clusterDir, 'log', name)
  await writeFile(file, 'x')
  await utimes(file, mtimeMs / 1000, mtimeMs / 1000)
  return file
}
