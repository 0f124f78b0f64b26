import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { isDeadProcess, ownIdentity } from './process-identity.ts'

test('this process is alive', () => {
  assert.equal(isDeadProcess(ownIdentity()), false)
})

test('a process that has ended is dead', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  assert.equal(isDeadProcess(ownIdentity().replace(`/${process.pid}/`, `/${child.pid}/`)), true)
})

test('another process that has got the same id is not the one that held the lease', {
  skip: process.platform !== 'linux',
}, () => {
  assert.equal(isDeadProcess(ownIdentity().replace(/\d+$/, '1')), true)
})

test('nothing is known of a process on another machine, or of nonsense', () => {
  assert.equal(isDeadProcess(`elsewhere/${ownIdentity()}`), false)
  assert.equal(isDeadProcess(''), false)
  assert.equal(isDeadProcess('a/b/c/d'), false)
})
