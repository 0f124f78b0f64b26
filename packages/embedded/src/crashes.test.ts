import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  answers,
  countUsers,
  isThere,
  joinInProcess,
  killChild,
  makeDataDir,
  type Place,
  readPostmasterPid,
  spawnJoin,
  waitFor,
} from './cluster.fixture.ts'
import { joinEmbeddedPostgres } from './embedded-postgres.ts'
import { identifyProcess } from './living-process.ts'
import { countRows } from './sql.ts'

const purpose = 'test'

/** Making a cluster takes a second: what leaves it as it was shares this one. */
let place: Place
before(async () => {
  place = await makeDataDir()
})
after(() => place[Symbol.asyncDispose]())

test('after kill -9 of its only user the server goes on, and the next join adopts and later stops it', async () => {
  const { dataDir } = place
  const user = await joinInProcess(place)
  const pid = await readPostmasterPid(dataDir)
  await user.kill()
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.equal(await readPostmasterPid(dataDir), pid)
  assert.equal(await countUsers(dataDir), 1)
  await postgres.leave()
  assert.equal(await readPostmasterPid(dataDir), undefined)
})

test('after kill -9 of the server the next join starts it where the others look for it', async () => {
  await using place = await makeDataDir()
  const { dataDir } = place
  await using first = await joinEmbeddedPostgres({ dataDir, purpose })
  await countRows('CREATE TABLE kept AS SELECT generate_series(1, 7)', { ...first, database: 'wombat' })
  await killPostmaster(dataDir)
  const second = await joinInProcess(place)
  assert.equal(second.socketDir, first.socketDir)
  assert.equal(await countRows('SELECT FROM kept', { ...first, database: 'wombat' }), 7)
  await second.leave()
  assert.ok(await answers(first.socketDir))
})

test('after kill -9 of the server a user who watches starts it again, where it was, and still leaves in order', async () => {
  await using place = await makeDataDir()
  const { dataDir } = place
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  const restarts: unknown[] = []
  postgres.watch((error) => restarts.push(error))
  await killPostmaster(dataDir)
  await waitFor(async () => restarts.length > 0 && (await answers(postgres.socketDir)))
  assert.deepEqual(restarts, [undefined])
  await postgres.leave()
  assert.equal(await readPostmasterPid(dataDir), undefined)
})

test('after kill -9 of user and server at once a join succeeds while sessions of the old server still end', async () => {
  const { dataDir } = place
  const user = await joinInProcess(place)
  // A session that computes does not look whether its postmaster lives.
  const busy = countRows('SELECT count(*) FROM generate_series(1, 4000000)', { ...user, database: 'wombat' })
  const outcome = busy.catch(() => 'cut off')
  await sleep(100)
  await user.kill()
  await killPostmaster(dataDir)
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.ok(await answers(postgres.socketDir))
  await outcome
  await postgres.leave()
})

test('a pid file and a socket lock whose pid belongs to another process now do not stop a start', async () => {
  const { dataDir, clusterDir } = place
  const user = await joinInProcess(place)
  await user.kill()
  await killPostmaster(dataDir)
  const { uid, gid } = await stat(clusterDir)
  const stranger = spawn('sleep', ['600'], process.getuid?.() === 0 ? { uid, gid } : {})
  try {
    const lines = `${stranger.pid}\n${clusterDir}\n1795376955\n5432\n${user.socketDir}\n\n  1  2\nready   \n`
    await writeFile(path.join(clusterDir, 'postmaster.pid'), lines)
    await writeFile(path.join(user.socketDir, '.s.PGSQL.5432.lock'), lines)
    const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
    assert.ok(await answers(postgres.socketDir))
    await postgres.leave()
    assert.equal(stranger.exitCode ?? stranger.signalCode, null)
  } finally {
    await killChild(stranger)
  }
})

test('users whose pid belongs to another process now, or who wrote half a line, keep nobody waiting', async () => {
  const { dataDir } = place
  const usersDir = path.join(dataDir, 'postgres.users')
  await mkdir(usersDir, { recursive: true })
  const reused = { pid: process.pid, started: '17 before-the-reboot', purpose, socketDir: '/nowhere' }
  await writeFile(path.join(usersDir, `${process.pid}-00000000.json`), JSON.stringify(reused))
  await writeFile(path.join(usersDir, '1-00000000.json'), '{"pid":1,"sta')
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.equal(await countUsers(dataDir), 1)
  await postgres.leave()
  assert.equal(await readPostmasterPid(dataDir), undefined)
})

test('a socket that vanished under the running server is made again, at the same place', async () => {
  const { dataDir } = place
  const first = await joinInProcess(place)
  await rm(first.socketDir, { recursive: true })
  await using second = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.equal(second.socketDir, first.socketDir)
  assert.ok(await answers(first.socketDir))
  await first.leave()
  assert.ok(await answers(second.socketDir))
})

test('kill -9 in the middle of initdb leaves nothing half-made', async () => {
  await using place = await makeDataDir()
  const { dataDir, clusterDir } = place
  const child = spawnJoin(place)
  await waitFor(async () => {
    const names = await readdir(dataDir).catch(() => [])
    const unfinished = names.find((name) => name.startsWith('postgres.initdb-'))
    return unfinished !== undefined && (await isThere(path.join(dataDir, unfinished, 'PG_VERSION')))
  })
  await killChild(child)
  assert.equal(await isThere(clusterDir), false)
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.ok(await answers(postgres.socketDir))
  await postgres.leave()
})

test('after kill -9 at any moment of joining and leaving the next join works', async () => {
  await using place = await makeDataDir()
  const { dataDir } = place
  for (let round = 0; round < 12; round += 1) {
    const child = spawnJoin(place)
    child.stdin?.end()
    await Promise.race([sleep(round * 60), once(child, 'exit')])
    await killChild(child)
  }
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.ok(await answers(postgres.socketDir))
  assert.equal(await countUsers(dataDir), 1)
  await postgres.leave()
})

async function killPostmaster(dataDir: string): Promise<void> {
  const pid = await readPostmasterPid(dataDir)
  assert.ok(pid !== undefined)
  process.kill(pid, 'SIGKILL')
  await waitFor(async () => (await identifyProcess(pid)) === undefined)
}
