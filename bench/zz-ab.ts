// ad hoc: CPU per POST of several trees, interleaved. TREES=a=/tmp/base,b=/work/main
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withClient } from '@wombat/database'
import { verifyLedger } from '@wombat/ledger'
import { makeAccounts } from './accounts.ts'
import { runPgbench } from './pgbench.ts'
import { openRig } from './rig.ts'
import { median } from './rounds.ts'
import { runWrk } from './wrk.ts'

const PROMPT = 'A quiet harbour at dawn with fishing boats, mist over the water and gulls above the masts'
const seconds = Number(process.env.S ?? 4),
  rounds = Number(process.env.R ?? 4)
const trees = (process.env.TREES ?? 'base=/tmp/base,main=/work/main')
  .split(',')
  .map((t) => [t.slice(0, t.indexOf('=')), t.slice(t.indexOf('=') + 1)] as [string, string])
await using rig = await openRig({ profileDir: undefined })
const log = openSync(path.join(rig.dataDir, 'log'), 'a')
const servers: { name: string; url: string; use(): Promise<{ cpuMs: number }>; child: ReturnType<typeof fork> }[] = []
for (const [name, dir] of trees) {
  const [d, ...flags] = dir.split(';')
  const child = fork(`${d}/bench/server-child.ts`, [], {
    execArgv: [
      '--expose-gc',
      ...flags.filter((f) => f.startsWith('-')),
      ...(process.env.PROF ? ['--cpu-prof', '--cpu-prof-dir=' + process.env.PROF + '/' + name] : []),
    ],
    stdio: ['ignore', log, 'inherit', 'ipc'],
    env: {
      PATH: process.env.PATH ?? '',
      ...Object.fromEntries(flags.filter((f) => !f.startsWith('-')).map((f) => f.split(':'))),
      PORT: '0',
      SYNTHETIC: 'always',
      RATE_LIMIT_PER_MINUTE: '1000000',
      DATABASE_URL: rig.databaseUrl + '&application_name=' + name,
      DATA_DIR: rig.dataDir,
    },
  })
  const [m] = (await once(child, 'message')) as [{ url: string }]
  servers.push({
    name,
    url: m.url,
    child,
    async use() {
      child.send('now')
      const [u] = (await once(child, 'message')) as [{ cpuMs: number }]
      return u
    },
  })
}
const keys = await makeAccounts(rig.database(), 200)
writeFileSync(path.join(rig.dataDir, 'k200'), keys.join('\n') + '\n')
writeFileSync(path.join(rig.dataDir, 'k1'), keys[0] + '\n')
const pids = () =>
  withClient(
    rig.databaseUrl,
    async (c) =>
      (
        await c.query(
          `select pid, coalesce(nullif(application_name,''), backend_type) as a from pg_stat_activity where pid <> pg_backend_pid()`,
        )
      ).rows,
  )
const q1 = async (s: string) =>
  withClient(rig.databaseUrl, async (c) => Number(Object.values((await c.query(s)).rows[0])[0]))
const cpu = (pid: number | string) => {
  try {
    const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(f[11]) + Number(f[12])) * 10
  } catch {
    return NaN
  }
}
const pm = () => {
  const pid = readFileSync(path.join(rig.dataDir, 'postgres/postmaster.pid'), 'utf8').split('\n')[0]
  const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(f[13]) + Number(f[14])) * 10
}
const sums = new Map<string, Record<string, number[]>>()
async function measure(
  name: string,
  s: (typeof servers)[number] | undefined,
  n: () => Promise<number>,
  quiet: boolean,
) {
  await withClient(rig.databaseUrl, (c) => c.query('CHECKPOINT'))
  const before = new Map<string, number>()
  for (const { pid } of await pids()) before.set(String(pid), cpu(pid))
  const p0 = pm(),
    c0 = await q1('select count(*) from requests'),
    x0 = await q1(`select sum(xact_commit) from pg_stat_database`)
  const s0 = await s?.use()
  const rps = await n()
  await sleep(700)
  const s1 = await s?.use()
  await sleep(500)
  const count = (await q1('select count(*) from requests')) - c0,
    x = (await q1(`select sum(xact_commit) from pg_stat_database`)) - x0
  const by: Record<string, number> = {}
  for (const { pid, a } of await pids()) {
    const k = a.includes('queue') ? 'queue' : a.includes('listen') ? 'listen' : 'pg'
    by[k] = (by[k] ?? 0) + cpu(pid) - (before.get(String(pid)) ?? 0)
  }
  const per = (ms: number) => Math.round((ms * 1000) / count)
  if (quiet) return
  const rec = {
    rps: Math.round(rps),
    node: per((s1?.cpuMs ?? 0) - (s0?.cpuMs ?? 0)),
    pg: per(by.pg ?? 0),
    queue: per(by.queue ?? 0),
    reaped: per(pm() - p0),
    commitsPer100: Math.round((100 * x) / count),
  }
  const t = sums.get(name) ?? {}
  for (const [k, v] of Object.entries(rec)) (t[k] ??= []).push(v)
  sums.set(name, t)
}
const wrk = (url: string, k: string, c: number) => async () =>
  (
    await runWrk('wrk', {
      url: `${url}/api/image-generation/`,
      connections: c,
      seconds,
      script: { name: 'post.lua', args: [path.join(rig.dataDir, k), JSON.stringify({ prompt: PROMPT })] },
    })
  ).perSecond
const pgb = (accounts: number, clients: number) => async () =>
  (
    await runPgbench('pgbench', {
      socketDir: rig.socketDir,
      directory: rig.dataDir,
      prompt: PROMPT,
      accounts,
      clients,
      threads: Math.min(2, clients),
      seconds,
    })
  ).perSecond
const hot = process.env.HOT === '1'
for (let r = 0; r <= rounds; r++) {
  for (const s of servers) await measure(s.name + ' many', s, wrk(s.url, 'k200', 64), r === 0)
  if (process.env.PGB !== '0') await measure('pgbench many', undefined, pgb(200, 4), r === 0)
  if (hot) {
    for (const s of servers) await measure(s.name + ' hot', s, wrk(s.url, 'k1', 64), r === 0)
    await measure('pgbench hot', undefined, pgb(1, 4), r === 0)
  }
}
for (const [name, t] of sums)
  console.log(
    name.padEnd(14),
    Object.entries(t)
      .map(([k, v]) => `${k} ${median(v)} (min ${Math.min(...v)})`)
      .join('  '),
  )
console.log('faults', (await verifyLedger(rig.database())).faults.length)
for (const s of servers) {
  s.child.send('stop')
  await once(s.child, 'exit')
}
