import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import {
  answers,
  countUsers,
  isThere,
  joinInProcess,
  makeDataDir,
  type Place,
  readPostmasterPid,
} from './cluster.fixture.ts'
import { joinEmbeddedPostgres } from './embedded-postgres.ts'
import { countRows } from './sql.ts'

const purpose = 'test'

/** Making a cluster takes a second: what leaves it as it was shares this one. */
let place: Place
before(async () => {
  place = await makeDataDir()
})
after(() => place[Symbol.asyncDispose]())

test('join makes a cluster with a database, leave stops it, and what was written is there after the next join', async () => {
  await using place = await makeDataDir()
  const { dataDir } = place
  {
    await using postgres = await joinEmbeddedPostgres({ dataDir, purpose })
    const options = { socketDir: postgres.socketDir, database: 'wombat' }
    await countRows('CREATE TABLE kept AS SELECT generate_series(1, 7)', options)
    assert.equal(await countRows(`SELECT WHERE current_setting('fsync') = 'on'`, options), 1)
  }
  assert.equal(await readPostmasterPid(dataDir), undefined)
  await using postgres = await joinEmbeddedPostgres({ dataDir, purpose })
  assert.equal(await countRows('SELECT FROM kept', { socketDir: postgres.socketDir, database: 'wombat' }), 7)
})

test('the server listens on its private socket only, and keeps statements out of its log', async () => {
  await using postgres = await joinEmbeddedPostgres({ dataDir: place.dataDir, purpose, durable: false })
  const options = { socketDir: postgres.socketDir, database: 'wombat' }
  assert.equal(await countRows(`SELECT WHERE current_setting('listen_addresses') = ''`, options), 1)
  assert.equal((await stat(postgres.socketDir)).mode & 0o777, 0o700)
  assert.ok(Buffer.byteLength(path.join(postgres.socketDir, '.s.PGSQL.5432')) <= 107)
  await assert.rejects(countRows(`SELECT 'a prompt' FROM nowhere`, options), /relation "nowhere" does not exist/)
  const logDir = path.join(place.clusterDir, 'log')
  for (const name of await readdir(logDir)) {
    assert.doesNotMatch(await readFile(path.join(logDir, name), 'utf8'), /nowhere|prompt/)
  }
})

test('a later join makes the database that is asked for and missing', async () => {
  const { dataDir } = place
  await using first = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  await using second = await joinEmbeddedPostgres({ dataDir, purpose, durable: false, database: 'other_one' })
  assert.equal(new URL(second.url).pathname, '/other_one')
  assert.equal(await countRows('SELECT', { socketDir: first.socketDir, database: 'other_one' }), 1)
  await assert.rejects(joinEmbeddedPostgres({ dataDir, purpose, database: 'x"; DROP' }), /no name for a database/)
})

test('the server stops with the last leave, also when one process joined twice and leaves one of them twice', async () => {
  const { dataDir } = place
  const one = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  const two = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  assert.equal(one.socketDir, two.socketDir)
  await one.leave()
  await one.leave()
  assert.ok(await answers(two.socketDir))
  await two.leave()
  assert.equal(await answers(two.socketDir), false)
  assert.equal(await isThere(two.socketDir), false)
})

test('eight processes that join an empty directory at once share one server, and the last stops it', async () => {
  await using place = await makeDataDir()
  const { dataDir } = place
  const users = await Promise.all(Array.from({ length: 8 }, () => joinInProcess(place)))
  assert.equal(new Set(users.map(({ socketDir }) => socketDir)).size, 1)
  assert.equal(await countUsers(dataDir), 8)
  const [last, ...others] = users
  assert.ok(last !== undefined)
  await Promise.all(others.map((user) => user.leave()))
  assert.ok(await answers(last.socketDir))
  await last.leave()
  assert.equal(await readPostmasterPid(dataDir), undefined)
})

test('processes with different temporary directories find the same server', async () => {
  await using elsewhere = await makeDataDir()
  const { dataDir } = place
  await using one = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  const other = await joinInProcess(place, { TMPDIR: path.dirname(elsewhere.dataDir) })
  assert.equal(other.socketDir, one.socketDir)
  await other.leave()
})

test('a temporary directory whose path is too long for a socket is not used', async () => {
  const long = path.join(path.dirname(place.dataDir), 'long'.repeat(25))
  await mkdir(long)
  const user = await joinInProcess(place, { TMPDIR: long })
  assert.match(user.socketDir, /tmp\/wombat-[0-9a-f]+$/)
  assert.ok(await answers(user.socketDir))
  await user.leave()
})

test('the data directory of another major version is refused with a way out', async () => {
  await using place = await makeDataDir()
  const { dataDir, clusterDir } = place
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  await postgres.leave()
  await writeFile(path.join(clusterDir, 'PG_VERSION'), '17\n')
  await assert.rejects(
    joinEmbeddedPostgres({ dataDir, purpose }),
    /made by PostgreSQL 17.*brings PostgreSQL 18.*DATABASE_URL/,
  )
})

test('a server that does not start says why', async () => {
  await using place = await makeDataDir()
  const { dataDir, clusterDir } = place
  const postgres = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  await postgres.leave()
  await appendFile(path.join(clusterDir, 'postgresql.auto.conf'), `max_connections = 'plenty'\n`)
  await assert.rejects(joinEmbeddedPostgres({ dataDir, purpose }), /does not start in .*"plenty"/s)
})

test('what ALTER SYSTEM set goes before our settings', async () => {
  const { dataDir } = place
  const first = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  await countRows('ALTER SYSTEM SET max_connections = 42', { ...first, database: 'wombat' })
  await first.leave()
  await using second = await joinEmbeddedPostgres({ dataDir, purpose, durable: false })
  const options = { ...second, database: 'wombat' }
  assert.equal(await countRows(`SELECT WHERE current_setting('max_connections') = '42'`, options), 1)
  await countRows('ALTER SYSTEM RESET max_connections', options)
})

test('a directory that is not a cluster is refused and left alone', async () => {
  await using place = await makeDataDir()
  const { dataDir, clusterDir } = place
  await mkdir(clusterDir, { recursive: true })
  await writeFile(path.join(clusterDir, 'precious'), 'x')
  await assert.rejects(joinEmbeddedPostgres({ dataDir, purpose }), /neither empty nor a data directory/)
  assert.deepEqual(await readdir(clusterDir), ['precious'])
})
