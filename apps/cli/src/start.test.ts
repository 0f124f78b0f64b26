import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createTemporaryDirectory, createTestDatabase } from '@wombat/testing'
import { type CliOptions, runCli, startCli } from './run-cli.ts'

const run = promisify(execFile)

const JPEG_BEGIN = 'ffd8ff'
const KEY = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
const READY = /wombat\.jpg\n\n/

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // A server that listens on TCP has this kind of address.
  server.close()
  await once(server, 'close')
  return port
}

async function json(args: readonly string[], options: CliOptions) {
  const { code, stdout, stderr } = await runCli([...args, '--json'], options)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('from nothing to an image, a later start, and a start after kill -9', async () => {
  await using folder = await createTemporaryDirectory()
  const port = await freePort()
  const options = { folder: folder.path, env: { PORT: String(port), SYNTHETIC_LATENCY_MS: '1' } }

  await using first = await startCli(['start'], options)
  const banner = await first.until(READY)
  const apiKey = KEY.exec(banner)?.[0] ?? ''
  assert.match(banner, new RegExp(`URL +http://127\\.0\\.0\\.1:${port}\n`))
  assert.match(banner, /Professional, 1,000 credits/)
  assert.match(banner, /gpt-image-2 +synthetic +OPENAI_API_KEY is not set/)
  assert.ok(banner.includes(path.join(folder.path, 'data')))
  const curl = /^ +(curl .*)$/m.exec(banner)?.[1] ?? ''
  assert.ok(curl.includes(`Bearer ${apiKey}`))
  const hasCurl = await run('curl', ['--version']).catch(() => undefined)
  if (hasCurl !== undefined) {
    // Not synchronously: the store may be in this process.
    assert.equal((await run('bash', ['-c', curl], { cwd: folder.path })).stderr, '')
    assert.equal((await readFile(path.join(folder.path, 'wombat.jpg'))).toString('hex', 0, 3), JPEG_BEGIN)
  }

  // Other commands while it runs.
  const report = await json(['doctor'], options)
  assert.equal(report.ok, true)
  assert.equal(report.url, `http://127.0.0.1:${port}`)
  const made = await json(['generate', 'A cat', '-n', '2', '--size', '3:2', '--model', 'standard'], options)
  assert.deepEqual(
    made.images.map(({ file, width, height }: Record<string, unknown>) => [path.basename(String(file)), width, height]),
    [
      ['cat.jpg', 1216, 832],
      ['cat-2.jpg', 1216, 832],
    ],
  )
  assert.equal(made.creditsCharged, 2)
  const second = await runCli(['start'], options)
  assert.equal(second.code, 3)
  assert.equal(second.stderr, `wombat: port ${port} on 127.0.0.1 is in use: stop the other program, or set PORT\n`)

  const stoppedAtMs = performance.now()
  const { code, stdout, stderr } = await first.stop('SIGTERM')
  assert.equal(code, 0)
  assert.ok(performance.now() - stoppedAtMs < 5_000)
  assert.equal(stderr, '')
  const logged = stdout.slice(stdout.indexOf('wombat.jpg\n\n') + 'wombat.jpg\n\n'.length)
  const messages = logged
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).msg)
  assert.deepEqual(messages.slice(-2), ['stopping', 'stopped'])

  await using later = await startCli(['start'], options)
  const laterBanner = await later.until(READY)
  assert.doesNotMatch(laterBanner, new RegExp(apiKey))
  assert.match(laterBanner, /npx wombat key create [0-9a-f-]{36}/)
  await later.stop('SIGKILL')

  // Nothing runs but the PostgreSQL that was left behind.
  const { accounts } = await json(['account', 'list'], options)
  assert.equal(accounts.length, 1)
  const alone = await json(['generate', 'a cat', '--original'], options)
  assert.equal(path.basename(alone.images[0].file), 'cat.png')
  assert.equal(alone.apiKey, undefined)
  const { keys } = await json(['key', 'list', accounts[0].accountId], options)
  assert.deepEqual(
    keys.map(({ name, state }: Record<string, unknown>) => `${name}: ${state}`),
    ['first key: active', 'wombat generate: revoked', 'wombat generate: revoked'],
  )
  assert.equal((await json(['ledger', 'verify'], options)).ok, true)

  await using last = await startCli(['start', '--json'], options)
  const ready = JSON.parse(await last.until(/\n/))
  assert.equal(ready.url, `http://127.0.0.1:${port}`)
  assert.equal(ready.apiKey, undefined)
  assert.equal((await last.stop('SIGINT')).code, 0)
  assert.deepEqual(
    (await readdir(path.join(folder.path, 'data', 'postgres'))).filter((name) => name === 'postmaster.pid'),
    [],
  )
})

test('api and worker are two processes on one database, and a key that was given is not shown', async () => {
  await using folder = await createTemporaryDirectory()
  await using database = await createTestDatabase()
  const port = await freePort()
  const apiKey = '7c1d2b9e-03a5-4f6e-8d27-5b0e9a4c1f38'
  const env = { DATABASE_URL: database.url, PORT: String(port), BOOTSTRAP_API_KEY: apiKey, SYNTHETIC_LATENCY_MS: '1' }
  const options = { folder: folder.path, env }

  await using api = await startCli(['start', '--role', 'api'], options)
  await using worker = await startCli(['start', '--role', 'worker'], options)
  const banner = await api.until(READY)
  assert.match(banner, /is ready as api/)
  assert.match(banner, /your BOOTSTRAP_API_KEY/)
  assert.match(await worker.until(/is ready as worker/), /^(?!.*URL +http:)/s)

  const crowded = await runCli(['start', '--role', 'worker'], { ...options, env: { ...env, METRICS_PORT: `${port}` } })
  assert.equal(crowded.code, 3)
  assert.match(
    crowded.stderr,
    new RegExp(`^wombat: port ${port} on 127.0.0.1 is in use: .*, or set METRICS_PORT$`, 'm'),
  )

  const made = await json(['generate', 'a dog', '--out', 'dogs/', '--key', apiKey], options)
  assert.equal(made.images[0].file, path.join(folder.path, 'dogs', 'dog.jpg'))
  assert.equal(made.creditsRemaining, 999)
  const refused = await runCli(['generate', 'a dog', '--key', 'wrong-key-wrong-key', '--json'], options)
  assert.equal(refused.code, 6)
  assert.equal(JSON.parse(refused.stderr).code, 'refused')
  const unknown = await runCli(['generate', 'a dog', '--model', 'dall-e-2', '--key', apiKey], options)
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /^wombat: model must be one of gpt-image-2, .*\n$/)

  for (const process of [api, worker]) {
    const { code, stdout, stderr } = await process.stop('SIGTERM')
    assert.equal(code, 0)
    assert.doesNotMatch(stdout + stderr, new RegExp(apiKey))
  }
})

test('a server whose npm was told to stop does not outlive it', async () => {
  await using folder = await createTemporaryDirectory()
  await using database = await createTestDatabase()
  const env = { DATABASE_URL: database.url, PORT: '0' }
  await using npm = await startCli(['start'], { folder: folder.path, env, isUnderNpm: true })
  await npm.until(READY)
  const { stdout } = await npm.stop('SIGTERM')
  assert.match(stdout, /"msg":"stopped"\}\n$/)
})
