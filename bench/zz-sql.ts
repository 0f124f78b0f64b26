// ad hoc: CPU of the accept function in isolation. Variants: files /tmp/sql/*.sql defining accept_requests
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { newImageId } from '@wombat/contract'
import { migrate } from '@wombat/database'
import pg from 'pg'
import { makeAccounts } from './accounts.ts'
import { openRig } from './rig.ts'
import { median } from './rounds.ts'

const N = Number(process.env.N ?? 20),
  CALLS = Number(process.env.CALLS ?? 200),
  R = Number(process.env.R ?? 5),
  ACC = Number(process.env.ACC ?? 200)
await using rig = await openRig({ profileDir: undefined })
await migrate(rig.databaseUrl)
await makeAccounts(rig.database(), 200)
const dir = process.argv[2] ?? '/tmp/sql'
const files = readdirSync(dir)
  .filter((f) => f.endsWith('.sql'))
  .sort()
const clients: { f: string; c: pg.Client; pid: number; q: string }[] = []
for (const f of files) {
  const sql = readFileSync(`${dir}/${f}`, 'utf8').replaceAll('accept_requests', 'accept_' + f.replace(/\W/g, '_'))
  const c = new pg.Client({ connectionString: rig.databaseUrl })
  await c.connect()
  await c.query(sql)
  await c.query('SET synchronous_commit = off')
  clients.push({
    f,
    c,
    pid: (await c.query('select pg_backend_pid() as p')).rows[0].p,
    q:
      /^-- CALL: (.*)$/m.exec(sql)?.[1] ??
      `SELECT n, outcome, balance, request_id FROM accept_${f.replace(/\W/g, '_')}($1, $2)`,
  })
}
const PROMPT = 'A quiet harbour at dawn with fishing boats, mist over the water and gulls above the masts'
const acc = (i: number) => `00000000-0000-4000-8000-${String(i + 1).padStart(12, '0')}`
let k = 0
const one = (n: number) => ({
  n,
  id: randomUUID(),
  account: acc((k++ * 7) % ACC),
  key: acc(0),
  model: 'gpt-image-2',
  quality: 'fast',
  style: 'photo',
  styled: false,
  width: 1024,
  height: 1024,
  prompt: PROMPT,
  enhanced: true,
  final: PROMPT + ', in the style of a photograph',
  alt: 'A picture of ' + PROMPT,
  wants_alt: false,
  refs: [],
  preserve: false,
  price: 1,
  images: [newImageId()],
  deadline_hours: 24,
})
const cpu = (pid: number) => {
  const f = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')
  return Number(f[0]) / 1e6
}
const res: Record<string, number[]> = {}
for (let r = 0; r <= R; r++)
  for (const { f, c, pid, q } of clients) {
    const a = cpu(pid)
    for (let i = 0; i < CALLS; i++) {
      const { rows } = await c.query({
        name: f,
        text: q,
        values: [JSON.stringify(Array.from({ length: N }, (_, n) => one(n))), false],
      })
      if (rows.length !== N || rows.some((x: { outcome: string }) => x.outcome !== 'accepted'))
        throw new Error(f + JSON.stringify(rows[0]))
    }
    if (r > 0) (res[f] ??= []).push(((cpu(pid) - a) * 1000) / CALLS / N)
  }
for (const [f, v] of Object.entries(res))
  console.log(
    f.padEnd(20),
    'us/request',
    Math.min(...v).toFixed(1),
    median(v).toFixed(1),
    '(',
    v.map((x) => x.toFixed(0)).join(' '),
    ')',
  )
for (const { c } of clients) await c.end()
