import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createTestDatabase, until } from '@wombat/testing'
import { openDatabaseProxy } from './database-proxy.ts'

const FIXTURE = fileURLToPath(new URL('./listener.fixture.ts', import.meta.url))

test('a process that closes its listener while that reconnects in vain can end', { timeout: 30_000 }, async () => {
  await using database = await createTestDatabase()
  using proxy = await openDatabaseProxy(database.url)
  const child = spawn(process.execPath, [FIXTURE, proxy.url], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const lines: string[] = []
    createInterface(child.stdout).on('line', (line) => lines.push(line))
    await until(() => lines.includes('open'), { what: 'it listens' })

    proxy.cut()
    const held: Socket[] = []
    const holder = createServer((socket) => held.push(socket)).listen(Number(new URL(proxy.url).port), '127.0.0.1')
    await until(() => held.length > 0, { what: 'it connects again' })
    holder.close()
    child.stdin.end()
    await until(() => lines.includes('closed'), { what: 'it has closed its listener' })
    const exit = once(child, 'exit', { signal: AbortSignal.timeout(20_000) })
    for (const socket of held) {
      socket.destroy()
    }
    assert.deepEqual(await exit, [0, null])
  } finally {
    child.kill('SIGKILL')
  }
})
