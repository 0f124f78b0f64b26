import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { identifyProcess, isAlive, readCommandLine } from './living-process.ts'

test('a process is alive under its own start and nobody else under its pid', async () => {
  const identity = await identifyProcess(process.pid)
  assert.ok(identity !== undefined)
  assert.ok(await isAlive(identity))
  assert.equal(await isAlive({ pid: process.pid, started: '17 another-boot' }), false)
})

test('a process that has ended is not alive', async () => {
  const child = spawn('sleep', ['60'])
  const identity = await identifyProcess(child.pid ?? 0)
  assert.ok(identity !== undefined)
  assert.ok(await isAlive(identity))
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(await isAlive(identity), false)
  assert.equal(await identifyProcess(identity.pid), undefined)
})

test('a zombie is not alive', async () => {
  // The shell becomes a sleep that does not wait for the child it had.
  const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'])
  const [output] = await once(parent.stdout, 'data')
  const pid = Number(output)
  assert.ok((await identifyProcess(pid)) !== undefined)
  await new Promise((resolve) => setTimeout(resolve, 400))
  assert.equal(await identifyProcess(pid), undefined)
  assert.equal(await readCommandLine(pid), '')
  parent.kill('SIGKILL')
})

test('numbers that are no process are not alive, nor do they mean a group of processes', async () => {
  for (const pid of [0, -1, Number.NaN, 1.5, 2 ** 31]) {
    assert.equal(await identifyProcess(pid), undefined)
  }
})

test('the command line has the arguments', async () => {
  assert.match(await readCommandLine(process.pid), /living-process\.test\.ts/)
})
