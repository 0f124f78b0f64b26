import { test } from 'node:test'
import { connect } from 'node:net'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKey } from '@wombat/accounts'
import { spawnTestServer, startTestServer } from './server-fixture.ts'
test('half open', async () => {
  await using s = await spawnTestServer({ role: 'api' })
  const fds = () => readdirSync(`/proc/${s.pid}/fd`).length
  console.log(fds())
  const sockets = Array.from({ length: 100 }, () => { const c = connect({ host: '127.0.0.1', port: Number(new URL(s.url).port), allowHalfOpen: true }); c.on('data', () => {}); c.on('error', (e) => console.log(e.message)); c.write('hello\r\n\r\n'); return c })
  await sleep(1000)
  console.log(fds())
  await sleep(8000)
  console.log(fds())
  for (const c of sockets) c.destroy()
})
test('notify during lookup', async () => {
  await using s = await startTestServer({ role: 'api' })
  const a = await s.createAccount()
  const keys = await Promise.all(Array.from({ length: 200 }, () => createKey(s.db, { accountId: a.accountId })))
  const counts: Record<string, number> = {}
  await Promise.all(keys.map(async ({ apiKey }, i) => {
    if (i % 10 === 0) await createKey(s.db, { accountId: a.accountId })
    const r = await s.post({ prompt: 'x' }, { key: apiKey })
    counts[r.status] = (counts[r.status] ?? 0) + 1
  }))
  console.log(counts)
})
