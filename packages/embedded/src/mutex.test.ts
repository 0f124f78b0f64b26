import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { killChild } from './cluster.fixture.ts'
import { acquireMutex } from './mutex.ts'

const MUTEX = fileURLToPath(new URL('./mutex.ts', import.meta.url))

let dir: string
before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'wombat-test-'))
})
after(() => rm(dir, { recursive: true }))

test('a mutex has one holder at a time in one process', async () => {
  const file = path.join(dir, 'counter')
  await writeFile(file, '0')
  await Promise.all(
    Array.from({ length: 10 }, async () => {
      using _mutex = await acquireMutex(path.join(dir, 'one.lock'), { timeoutMs: 20_000 })
      const count = Number(await readFile(file, 'utf8'))
      await nextTurn()
      await writeFile(file, String(count + 1))
    }),
  )
  assert.equal(await readFile(file, 'utf8'), '10')
})

test('a mutex has one holder at a time among processes', async () => {
  const file = path.join(dir, 'shared-counter')
  await writeFile(file, '0')
  const program = `
    for (let round = 0; round < 20; round += 1) {
      using _mutex = await acquireMutex(process.argv[2], { timeoutMs: 30_000 })
      const count = Number(await readFile(process.argv[3], 'utf8'))
      await new Promise((resolve) => setTimeout(resolve, 1))
      await writeFile(process.argv[3], String(count + 1))
    }`
  const children = Array.from({ length: 4 }, () => runProgram(program, [path.join(dir, 'two.lock'), file]))
  const exits = await Promise.all(children.map((child) => once(child, 'exit')))
  assert.deepEqual(exits, Array(4).fill([0, null]))
  assert.equal(await readFile(file, 'utf8'), '80')
})

test('a mutex is free as soon as its holder was killed with kill -9', async () => {
  const lock = path.join(dir, 'three.lock')
  const holder = runProgram(
    `
    const mutex = await acquireMutex(process.argv[2], { timeoutMs: 1000 })
    console.log('held')
    setInterval(() => mutex, 1000)`,
    [lock],
  )
  assert.ok(holder.stdout !== null)
  await once(holder.stdout, 'data')
  await assert.rejects(acquireMutex(lock, { timeoutMs: 50 }), /Another process has held .*three\.lock for 0\.05 s/)
  await killChild(holder)
  using _mutex = await acquireMutex(lock, { timeoutMs: 500 })
})

test('a mutex in a directory that is not there is an error at once', async () => {
  await assert.rejects(
    acquireMutex(path.join(dir, 'nowhere', 'x.lock'), { timeoutMs: 60_000 }),
    /x\.lock cannot be locked \(unable to open/,
  )
})

function runProgram(program: string, args: readonly string[]) {
  const source = `
    import { readFile, writeFile } from 'node:fs/promises'
    import { acquireMutex } from ${JSON.stringify(MUTEX)}
    ${program}`
  return spawn(process.execPath, ['--input-type=module-typescript', '--eval', source, '--', 'program', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
