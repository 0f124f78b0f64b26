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
  await sleep(1000)
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
import { sendRaw } from './raw-http.ts'
test('explore', async () => {
  await using s = await startTestServer({ role: 'api' })
  const H = `Host: x\r\nAuthorization: Bearer ${s.apiKey}\r\nConnection: close\r\n`
  const json = '{"prompt":"cat"}'
  const show = async (name: string, raw: string | Uint8Array | (string|Uint8Array)[]) => console.log(`--- ${name}\n` + (await Promise.race([sendRaw(s.url, raw), new Promise<string>(r => setTimeout(r, 3000, 'TIMEOUT'))])).slice(0, 900))
  await show('bad percent', `GET /api/image/%zz HTTP/1.1\r\n${H}\r\n`)
  await show('bad percent post', `POST /api/image-generation/%zz HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`)
  await show('long param', `GET /api/image/${'a'.repeat(300)} HTTP/1.1\r\n${H}\r\n`)
  for (const m of ['QUERY'])
    await show(m, `${m} /api/image-generation/ HTTP/1.1\r\n${H}\r\n`)
  await show('PUT body', `PUT /api/image-generation/ HTTP/1.1\r\n${H}Content-Length: 16\r\nContent-Type: text/html\r\n\r\n${json}`)
  await show('POST image', `POST /api/image/v2-aaaaaaaaa-aaaaaaaaa.jpg HTTP/1.1\r\n${H}Content-Length: 16\r\nContent-Type: text/html\r\n\r\n${json}`)
  await show('POST nowhere form', `POST /nope HTTP/1.1\r\n${H}Content-Length: 16\r\nContent-Type: text/html\r\n\r\n${json}`)
  await show('POST nowhere gzip', `POST /nope HTTP/1.1\r\n${H}Content-Length: 16\r\nContent-Encoding: gzip\r\n\r\n${json}`)
  await show('no CT', `POST /api/image-generation/ HTTP/1.1\r\n${H}Content-Length: 16\r\n\r\n${json}`)
  await show('utf8', [`POST /api/image-generation/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nContent-Type: application/json\r\n\r\n`, Buffer.from([0xff,0xfe,0x22,0x22])])
})
