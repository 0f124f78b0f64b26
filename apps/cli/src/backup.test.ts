import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { copyRunningCluster, joinEmbeddedPostgres } from '@wombat/embedded'
import { withClient } from '@wombat/engine'
import { createTemporaryDirectory, freePort, until } from '@wombat/testing'
import { type CliOptions, runCli, startCli } from './run-cli.ts'

const READY = /wombat\.jpg\n\n/
const API_KEY = '7c1d2b9e-03a5-4f6e-8d27-5b0e9a4c1f38'

async function json(args: readonly string[], options: CliOptions) {
  const { code, stdout, stderr } = await runCli([...args, '--json'], options)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function order(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/api/image-generation/`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${API_KEY}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ prompt: 'a wombat with two copies of its map', model: 'standard' }),
  })
  assert.equal(response.status, 200, await response.clone().text())
  const [image]: { url: string }[] = JSON.parse(await response.text())
  return image?.url ?? ''
}

async function digest(url: string): Promise<string> {
  const response = await fetch(url)
  assert.equal(response.status, 200, url)
  return createHash('sha256')
    .update(Buffer.from(await response.arrayBuffer()))
    .digest('hex')
}

test('what was there when a backup was made under load is there after a restore, with its bytes, and the books agree', async () => {
  await using folder = await createTemporaryDirectory()
  const port = await freePort()
  const env = {
    PORT: `${port}`,
    BOOTSTRAP_API_KEY: API_KEY,
    SYNTHETIC_LATENCY_MS: '1',
    RATE_LIMIT_PER_MINUTE: '100000',
  }
  const options = { folder: folder.path, env }
  const place = path.join(folder.path, 'backups')

  await using server = await startCli(['start'], options)
  await server.until(READY)
  const before = new Map<string, string>()
  for (let n = 0; n < 5; n += 1) {
    const url = await order(port)
    before.set(url, await digest(url))
  }
  // What a backup that was killed has left is no backup, and goes with the next.
  await mkdir(path.join(place, 'databases', '20200101T000000Z.unfinished', 'postgres'), { recursive: true })

  let isLoaded = true
  let ordered = 0
  const load = (async () => {
    while (isLoaded) {
      // Waiting for each keeps the queue short: what is under test is the copy, not the drawing.
      await digest(await order(port))
      ordered += 1
    }
  })()
  const first = await json(['backup', '--to', place], options)
  assert.equal(first.hasImages, true)
  assert.ok(first.imagesCopied >= 5)
  const second = await json(['backup', '--to', place, '--keep', '1'], options)
  assert.deepEqual(second.removed, [first.name])
  isLoaded = false
  await load
  assert.deepEqual(await readdir(path.join(place, 'databases')), [second.name])

  const late = await order(port)
  await digest(late)
  assert.equal((await server.stop('SIGTERM')).code, 0)

  const refused = await runCli(['restore', '--from', place], options)
  assert.equal(refused.code, 6)
  assert.match(refused.stderr, /postgres is there already, and nothing is written over it: stop all servers/)
  const dataDir = path.join(folder.path, 'data')
  await rm(dataDir, { recursive: true })
  // What a restore that was killed has left is as large as the database.
  await mkdir(path.join(dataDir, 'postgres.restore-0f1e2d3c', 'base'), { recursive: true })
  const restored = await json(['restore', '--from', place], options)
  assert.equal(restored.ok, true)
  assert.ok(!(await readdir(dataDir)).includes('postgres.restore-0f1e2d3c'))
  assert.equal(restored.backup.name, second.name)
  assert.ok(restored.images >= 5 && restored.images <= 5 + ordered, `${restored.images} of ${ordered}`)

  await using again = await startCli(['start'], options)
  await again.until(READY)
  for (const [url, bytes] of before) {
    assert.equal(await digest(url), bytes)
  }
  assert.equal((await fetch(late)).status, 404)
  await digest(await order(port))
  assert.equal((await json(['ledger', 'verify'], options)).ok, true)
  const report = await json(['store', 'verify', '--deep'], options)
  assert.deepEqual([report.lost, report.unnamed], [[], []])
  // A store that has lost its images gets them back without the database being touched.
  await rm(path.join(folder.path, 'data', 'blobs', 'images'), { recursive: true })
  const brought = await runCli(['restore', '--from', place, '--images-only', '--json'], options)
  assert.ok(JSON.parse(brought.stdout).imagesCopied >= 5)
  for (const [url, bytes] of before) {
    assert.equal(await digest(url), bytes)
  }
})

test('a copy that hangs lets go of the log, and says that it is no backup', async () => {
  await using folder = await createTemporaryDirectory()
  const dataDir = path.join(folder.path, 'data')
  await using postgres = new AsyncDisposableStack()
  const embedded = await joinEmbeddedPostgres({ dataDir, purpose: 'test' })
  postgres.defer(() => embedded.leave())
  const countSlots = () =>
    withClient(embedded.url, async (client) => (await client.query('SELECT 1 FROM pg_replication_slots')).rows.length)
  let slots = 0
  const copy = (to: string, onBytes: () => void) =>
    withClient(embedded.url, (session) =>
      copyRunningCluster({
        dataDir,
        to: path.join(folder.path, to),
        session,
        stop: AbortSignal.timeout(60_000),
        onBytes,
        silenceMs: 1_000,
      }),
    )
  let isHanging = true
  const hang = () => {
    // As under Ctrl-Z: nothing of this process runs.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, isHanging ? 3_000 : 0)
    isHanging = false
  }
  await assert.rejects(copy('hung', hang), /terminat|not queryable/)
  await until(async () => (await countSlots()) === 0, { what: 'the slot is gone' })
  await withClient(embedded.url, async (session) => {
    await copyRunningCluster({
      dataDir,
      to: path.join(folder.path, 'whole'),
      session,
      stop: AbortSignal.timeout(60_000),
      onBytes: () => {},
    })
    // Whoever copies images afterwards needs the session for something else.
    slots = await countSlots()
    const { rows } = await session.query('SHOW idle_session_timeout')
    assert.deepEqual(rows, [{ idle_session_timeout: '0' }])
  })
  assert.equal(slots, 0)
})

test('a backup is refused where it would be lost with the data, mix with something else, or miss the database', async () => {
  await using folder = await createTemporaryDirectory()
  const options = { folder: folder.path }
  await json(['account', 'create', '--name', 'Ann'], options)
  const inside = await runCli(['backup', '--to', path.join(folder.path, 'data', 'backups')], options)
  assert.equal(inside.code, 2)
  assert.match(inside.stderr, /is in DATA_DIR, and would be lost with it/)
  const other = await runCli(['backup', '--to', folder.path], options)
  assert.equal(other.code, 2)
  assert.match(other.stderr, /neither empty nor a directory of backups/)
  const place = path.join(folder.path, 'backups')
  await mkdir(place, { mode: 0o755 })
  const { name } = await json(['backup', '--to', place], options)
  const elsewhere = { folder: folder.path, env: { DATA_DIR: path.join(folder.path, 'elsewhere') } }
  const empty = await runCli(['backup', '--to', place, '--keep', '1'], elsewhere)
  assert.equal(empty.code, 5)
  assert.match(empty.stderr, /there is no database in .*elsewhere: set DATA_DIR/)
  await json(['account', 'create', '--name', 'Bob'], elsewhere)
  const mixed = await runCli(['backup', '--to', place, '--keep', '1'], elsewhere)
  assert.equal(mixed.code, 6)
  assert.match(mixed.stderr, /has backups of another database/)
  // Somebody else's disk.
  for (const part of ['databases', 'blobs']) {
    assert.equal((await stat(path.join(place, part))).mode & 0o777, 0o700)
  }
  // The clock was wrong then. And a copy that was interrupted.
  await mkdir(path.join(place, 'databases', '20980101T000000Z', 'postgres'), { recursive: true })
  const tomorrow = path.join(place, 'databases', '20990101T000000Z')
  await rename(path.join(place, 'databases', name), tomorrow)
  const kept = await json(['backup', '--to', place, '--keep', '1'], options)
  assert.deepEqual(kept.removed, ['20990101T000000Z'])
  assert.deepEqual(await readdir(path.join(place, 'databases')), [kept.name, '20980101T000000Z'])

  const none = await runCli(['restore', '--from', path.join(folder.path, 'none')], options)
  assert.equal(none.code, 5)
  assert.match(none.stderr, /there is no backup in /)
})
