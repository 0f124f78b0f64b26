/** Moving a living installation from one store to the other, and finding what is amiss. */
// Not once more on Redis and S3: it moves installations from one store to the other, both ways.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { openNamedStore, readConfig, repairStore, verifyStore } from '@wombat/engine'
import { addGarbage } from '@wombat/images'
import { verifyLedger } from '@wombat/ledger'
import { createTemporaryDirectory, startS3, until } from '@wombat/testing'
import { callCli } from '../apps/cli/src/call-cli.ts'
import { type CliOptions, startCli } from '../apps/cli/src/run-cli.ts'
import { finishNow, order, orderOne, pathOf, query } from './image-tools.ts'
import { startTestServer, type TestServer } from './server-fixture.ts'

const folder = await createTemporaryDirectory()
after(() => folder[Symbol.asyncDispose]())

const HOUR_MS = 3_600_000

type Home = Pick<TestServer, 'databaseUrl' | 'dataDir'>

function cliOptions({ databaseUrl, dataDir }: Home, env: Readonly<Record<string, string>> = {}): CliOptions {
  return { folder: folder.path, env: { DATABASE_URL: databaseUrl, DATA_DIR: dataDir, ...env } }
}

async function json(home: Home, env: Readonly<Record<string, string>>, ...args: string[]) {
  const { code, stdout, stderr } = await callCli([...args, '--json'], cliOptions(home, env))
  assert.notEqual(stdout, '', stderr)
  return { code, report: JSON.parse(stdout) }
}

interface Row {
  readonly id: string
  readonly object_key: string
  readonly sha256: string
}

async function readyRows({ databaseUrl }: Home): Promise<Row[]> {
  const rows = await query(databaseUrl, `SELECT id, object_key, sha256 FROM images WHERE status = 'ready' ORDER BY id`)
  return rows.map((row) => ({ id: row.id, object_key: row.object_key, sha256: row.sha256 }))
}

async function orderReady(server: TestServer): Promise<Row> {
  const id = await orderOne(server)
  await finishNow(server.engine, id, 'image/jpeg')
  const row = (await readyRows(server)).find((one) => one.id === id)
  assert.ok(row !== undefined)
  return row
}

function fileOf({ dataDir }: Home, { object_key: key }: Pick<Row, 'object_key'>): string {
  return path.join(dataDir, 'blobs', key)
}

async function writeObject(home: Home, key: string, ageMs = 0): Promise<string> {
  const file = fileOf(home, { object_key: key })
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, 'some bytes')
  const at = (Date.now() - ageMs) / 1000
  await utimes(file, at, at)
  return file
}

describe('wombat store copy', { timeout: 120_000 }, () => {
  test('is killed, goes on where it was, and takes what is made meanwhile; and all of it comes back', async () => {
    await using s3 = await startS3()
    await using server = await startTestServer({ role: 'api', env: { BOOTSTRAP_CREDITS: '100000' } })
    const ids: string[] = []
    while (ids.length < 100) {
      ids.push(...(await order(server, { numImages: 4 })))
    }
    await Promise.all(ids.map((id) => finishNow(server.engine, id, 'image/jpeg')))
    const puts = () => s3.requests.flatMap((line) => /^PUT \S*\/(images\/\S+\/v2-[^?]+)/.exec(line)?.[1] ?? [])

    await using worker = await startTestServer({ role: 'worker', beside: server })
    let isMaking = true
    const making = (async () => {
      while (isMaking) {
        const id = await orderOne(server)
        assert.equal((await server.get(pathOf(id))).status, 200)
      }
    })()
    const args = ['store', 'copy', '--from', 'disk', '--to', 's3']
    {
      await using first = await startCli([...args, '--json'], cliOptions(server, s3.env))
      await until(() => puts().length >= 25, { what: 'a quarter of the images is copied' })
      assert.equal((await first.stop('SIGKILL')).stdout, '')
    }
    const before = new Set(puts())
    assert.ok(before.size < ids.length, 'it was killed before its end')

    {
      await using second = await startCli([...args, '--json'], cliOptions(server, s3.env))
      await until(() => puts().length >= before.size + 15, { what: 'more is copied' })
      const { code, stdout, stderr } = await second.stop('SIGINT')
      assert.equal(code, 130, stderr)
      assert.equal(JSON.parse(stdout).isComplete, false)
    }
    const done = new Set(puts())

    const { code, report } = await json(server, s3.env, ...args)
    isMaking = false
    await making
    await until(async () => (await readyRows(server)).length === (await countOrdered(server)), { what: 'all is made' })
    await worker.stop()
    assert.deepEqual([code, report.isComplete, report.uncopied], [0, true, []])
    // Some were under way when it died.
    assert.ok(report.present >= done.size - 8 && report.present <= done.size, `${report.present} of ${done.size}`)
    assert.ok(report.passes >= 2)
    const times = new Map<string, number>()
    for (const key of puts()) {
      times.set(key, (times.get(key) ?? 0) + 1)
    }
    assert.ok([...times.values()].filter((count) => count > 1).length <= 8, 'nothing that was done is done again')

    // The servers stand still now: the last run has what came after the passes.
    const last = await json(server, s3.env, ...args)
    const rows = await readyRows(server)
    assert.ok(rows.length > ids.length)
    assert.deepEqual([last.code, last.report.present + last.report.copied], [0, rows.length])
    await using moved = await startTestServer({ role: 'api', beside: server, env: s3.env })
    for (const row of rows) {
      const { status, bytes } = await moved.get(pathOf(row.id))
      assert.equal(status, 200)
      assert.equal(createHash('sha256').update(bytes).digest('hex'), row.sha256)
      assert.ok(existsSync(fileOf(server, row)), 'nothing is deleted at the source')
    }
    assert.equal((await json(server, s3.env, 'store', 'verify', '--deep')).code, 0)

    await using elsewhere = await createTemporaryDirectory()
    const home = { databaseUrl: server.databaseUrl, dataDir: elsewhere.path }
    const back = await json(home, s3.env, 'store', 'copy', '--from', 's3', '--to', 'disk')
    assert.deepEqual([back.code, back.report.copied, back.report.present], [0, rows.length, 0])
    for (const row of rows) {
      assert.ok((await readFile(fileOf(home, row))).equals(await readFile(fileOf(server, row))))
    }
  })

  test('does not copy bytes that are not those of the row, and says whose they are', async () => {
    await using s3 = await startS3()
    await using server = await startTestServer({ role: 'api' })
    const [sound, damaged] = [await orderReady(server), await orderReady(server)]
    await writeFile(fileOf(server, damaged), 'other bytes')
    const { code, stdout, stderr } = await callCli(
      ['store', 'copy', '--from', 'disk', '--to', 's3'],
      cliOptions(server, s3.env),
    )
    assert.equal(code, 1)
    assert.match(stdout, /1 object, .* in 2 passes/)
    assert.match(stdout, new RegExp(`${damaged.object_key} +${damaged.id} +its bytes at the source are not those`))
    assert.doesNotMatch(stdout, new RegExp(sound.id))
    assert.match(stderr, /100 %: 2 of 2, pass 1, 1 object copied/)
  })

  test('stops early for a target that cannot be used, and for settings that name none', async () => {
    await using s3 = await startS3()
    await using server = await startTestServer({ role: 'api' })
    const args = ['store', 'copy', '--from', 'disk', '--to', 's3']
    const wrong = await callCli(args, cliOptions(server, { ...s3.env, S3_BUCKET: 'not-there' }))
    assert.deepEqual([wrong.code, wrong.stdout], [1, ''])
    assert.match(wrong.stderr, /there is no bucket not-there/)
    const none = await callCli(args, cliOptions(server))
    assert.deepEqual([none.code, none.stdout], [3, ''])
    assert.match(none.stderr, /S3_BUCKET is not set/)
    const same = await callCli(['store', 'copy', '--from', 's3', '--to', 's3'], cliOptions(server, s3.env))
    assert.equal(same.code, 2)
  })
})

describe('wombat store verify', { timeout: 120_000 }, () => {
  test('finds and mends what is amiss, and leaves alone what only looks so', async () => {
    await using s3 = await startS3()
    await using server = await startTestServer({ role: 'api', env: { IMAGE_CACHE_MB: '0' } })
    const [sound, missing, damaged, nowhere] = [
      await orderReady(server),
      await orderReady(server),
      await orderReady(server),
      await orderReady(server),
    ]
    assert.equal((await json(server, {}, 'store', 'verify')).code, 0)
    assert.equal((await json(server, s3.env, 'store', 'copy', '--from', 'disk', '--to', 's3')).code, 0)

    await rm(fileOf(server, missing))
    const { length } = await readFile(fileOf(server, damaged))
    await writeFile(fileOf(server, damaged), Buffer.alloc(length))
    await rm(fileOf(server, nowhere))
    await fetch(`${s3.endpoint}/${s3.bucket}/${nowhere.object_key}`, { method: 'DELETE' })
    const queued = await orderOne(server)
    const unnamed = await writeObject(server, 'images/zz/v2-zzzzzzzzz-zzzzzzzzz/1.jpg', 2 * HOUR_MS)
    const kept = [
      await writeObject(server, 'images/zz/v2-zzzzzzzzz-zzzzzzzzz/2.jpg', HOUR_MS / 2),
      await writeObject(server, `images/${queued.slice(3, 5)}/${queued}/1.jpg`, 2 * HOUR_MS),
      await writeObject(server, 'images/references/in-the-list/0', 2 * HOUR_MS),
    ]
    await addGarbage(server.db, 'images/references/in-the-list/0', 3600)

    const found = await json(server, {}, 'store', 'verify')
    assert.equal(found.code, 1)
    const lostIds = ({ lost }: { lost: readonly { imageId: string; fault: string }[] }) =>
      Object.fromEntries(lost.map(({ imageId, fault }) => [imageId, fault]))
    assert.deepEqual(lostIds(found.report), { [missing.id]: 'missing', [nowhere.id]: 'missing' })
    assert.deepEqual(found.report.unnamed, [{ objectKey: 'images/zz/v2-zzzzzzzzz-zzzzzzzzz/1.jpg', sizeBytes: 10 }])
    const deep = await json(server, {}, 'store', 'verify', '--deep')
    assert.deepEqual(lostIds(deep.report), {
      [missing.id]: 'missing',
      [nowhere.id]: 'missing',
      [damaged.id]: 'damaged',
    })
    for (const args of [['--repair'], ['--repair', '--json'], ['--give-up']]) {
      assert.equal((await callCli(['store', 'verify', ...args], cliOptions(server))).code, 2)
    }
    assert.ok(existsSync(unnamed), 'nothing was changed so far')
    assert.equal((await server.get(pathOf(missing.id))).status, 500)

    const args = ['store', 'verify', '--deep', '--repair', '--yes', '--store', 'disk']
    const mended = await json(server, s3.env, ...args)
    assert.equal(mended.code, 1, 'one is still without bytes')
    assert.deepEqual([...mended.report.repair.restored].sort(), [missing.id, damaged.id].sort())
    assert.deepEqual(mended.report.repair.left, [nowhere.id])
    assert.equal(mended.report.repair.deleted, 1)
    const log = await query(server.databaseUrl, `SELECT action FROM audit_entries WHERE subject = 'disk' ORDER BY id`)
    assert.equal(log.map(({ action }) => action).join(' '), 'store.repair store.repaired')
    assert.equal(existsSync(unnamed), false)
    assert.ok(kept.every((file) => existsSync(file)))
    for (const row of [sound, missing, damaged]) {
      const { bytes } = await server.get(pathOf(row.id))
      assert.equal(createHash('sha256').update(bytes).digest('hex'), row.sha256)
    }

    const balance = await server.balance()
    const { code, stdout } = await callCli([...args, '--give-up'], cliOptions(server, s3.env))
    assert.equal(code, 0)
    assert.match(stdout, /Gave up 1 image: 410 image_expired from now on\. Nothing was given back/)
    await until(async () => (await server.get(pathOf(nowhere.id))).status === 410, { what: 'it answers 410' })
    const { error } = await server.get(pathOf(nowhere.id))
    assert.deepEqual([error.code, error.details], ['image_expired', { refunded: false }])
    assert.match(error.message, /bytes .* were lost/)
    assert.equal(await server.balance(), balance)
    assert.deepEqual((await verifyLedger(server.db)).faults, [])
    const sum = await callCli(['store', 'verify', '--deep'], cliOptions(server))
    assert.match(sum.stdout, /Every image has its bytes, and all bytes belong to an image/)
    assert.equal(sum.code, 0)
  })

  test('lets no script delete what looks like the store of another installation', async () => {
    await using server = await startTestServer({ role: 'api' })
    const sound = await orderReady(server)
    const files = await Promise.all(
      Array.from({ length: 101 }, (_, n) => writeObject(server, `images/zz/other/${n}.jpg`, 2 * HOUR_MS)),
    )
    const args = ['store', 'verify', '--repair', '--yes']
    const { code, stdout, stderr } = await callCli(args, cliOptions(server))
    assert.deepEqual([code, stdout], [6, ''])
    assert.match(stderr, /101 of 102 objects have no row, .* another installation's/)
    assert.ok(files.every((file) => existsSync(file)))
    await rm(files[0] ?? '')
    assert.equal((await json(server, {}, ...args)).report.repair.deleted, 100)
    assert.ok(existsSync(fileOf(server, sound)))
  })

  test('does the same in a bucket, whose objects nobody can make older', async () => {
    await using s3 = await startS3()
    await using server = await startTestServer({ role: 'api', env: s3.env })
    const { engine, db } = server
    const [sound, missing] = [await orderReady(server), await orderReady(server)]
    await engine.store.remove(missing.object_key)
    await engine.store.put('images/zz/v2-zzzzzzzzz-zzzzzzzzz/1.jpg', Buffer.from('some bytes'), 'image/jpeg')
    const stop = new AbortController().signal
    const options = { isDeep: false, stop, onProgress: () => {} }
    const now = await verifyStore(db, engine.store, options)
    assert.deepEqual([now.lost.length, now.unnamed.length, now.objects, now.images], [1, 0, 2, 2])
    const report = await verifyStore(db, engine.store, { ...options, now: Date.now() + 2 * HOUR_MS })
    assert.deepEqual(
      report.lost.map(({ imageId }) => imageId),
      [missing.id],
    )
    assert.deepEqual(
      report.unnamed.map(({ objectKey }) => objectKey),
      ['images/zz/v2-zzzzzzzzz-zzzzzzzzz/1.jpg'],
    )
    // Named between the look and the repair: it stays.
    await query(server.databaseUrl, 'UPDATE images SET object_key = $2 WHERE id = $1', [
      missing.id,
      'images/zz/v2-zzzzzzzzz-zzzzzzzzz/1.jpg',
    ])
    const other = openNamedStore(readConfig({}), server.dataDir, 'disk')
    const done = await repairStore(db, engine.store, { report, other, isToGiveUp: true, stop })
    assert.deepEqual(done, { deleted: 0, freedBytes: 0, restored: [], givenUp: [], left: [] })
    assert.equal(String(await engine.store.read('images/zz/v2-zzzzzzzzz-zzzzzzzzz/1.jpg')), 'some bytes')
    assert.equal((await server.get(pathOf(sound.id))).status, 200)
  })
})

async function countOrdered({ databaseUrl }: Home): Promise<number> {
  const [row] = await query(databaseUrl, 'SELECT count(*)::int AS n FROM images')
  return Number(row?.n)
}
