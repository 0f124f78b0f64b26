// ad hoc: CPU per POST
import { readFileSync, writeFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withClient } from '@wombat/database'
import { makeAccounts } from './accounts.ts'
import { runPgbench } from './pgbench.ts'
import { openRig } from './rig.ts'
import { runWrk } from './wrk.ts'
import { verifyLedger } from '@wombat/ledger'
const PROMPT = 'A quiet harbour at dawn with fishing boats, mist over the water and gulls above the masts'
const seconds = Number(process.env.S ?? 3), rounds = Number(process.env.R ?? 2)
await using rig = await openRig({ profileDir: process.env.PROF })
await using server = await rig.startServer('api')
const keys = await makeAccounts(rig.database(), 200)
writeFileSync(path.join(rig.dataDir, 'k200'), keys.join('\n') + '\n')
writeFileSync(path.join(rig.dataDir, 'k1'), keys[0] + '\n')
const pids = () => withClient(rig.databaseUrl, async (c) => (await c.query(`select pid, coalesce(nullif(application_name,''), backend_type) as a from pg_stat_activity where pid <> pg_backend_pid()`)).rows)
const pm = () => { const pid = readFileSync(path.join(rig.dataDir,'postgres/postmaster.pid'),'utf8').split('\n')[0]; const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[13]) + Number(f[14])) * 10 }
const cpu = (pid: number | string) => { try { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) * 10 } catch { return NaN } }
const sysLoad = () => { const f = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).slice(1).map(Number); return { busy: (f[0]! + f[1]! + f[2]! + f[5]! + f[6]!) * 10, steal: f[7]! * 10 } }
async function measure(name: string, n: () => Promise<number>) {
  const before = new Map<string, [number, string]>()
  for (const { pid, a } of await pids()) before.set(String(pid), [cpu(pid), a])
  const p0 = pm(); const s0 = await server.use(), l0 = sysLoad()
  const count0 = await rows()
  const t0 = performance.now()
  const rps = await n()
  const dt = performance.now() - t0
  const l1 = sysLoad()
  await sleep(1500)
  const s1 = await server.use()
  const count = (await rows()) - count0
  const by: Record<string, number> = {}
  for (const { pid, a } of await pids()) { const b = before.get(String(pid)); by[a] = (by[a] ?? 0) + cpu(pid) - (b?.[0] ?? 0) }
  const reaped = pm() - p0; const per = (ms: number) => Math.round(ms * 1000 / count)
  console.log(name.padEnd(10), `${Math.round(rps)}/s`, 'n', count, 'server us', per(s1.cpuMs - s0.cpuMs), Object.entries(by).filter(([, v]) => v > 0).map(([k, v]) => `${k} ${per(v)}`).join(', '), `reaped ${per(reaped)} | machine busy ${Math.round((l1.busy - l0.busy) / dt / 2 * 100)}% steal ${Math.round((l1.steal - l0.steal) / dt / 2 * 100)}%`)
  return rps
}
const rows = () => withClient(rig.databaseUrl, async (c) => Number((await c.query('select count(*) from requests')).rows[0].count))
const wrk = (k: string, c: number) => async () => (await runWrk('wrk', { url: `${server.url}/api/image-generation/`, connections: c, seconds, script: { name: 'post.lua', args: [path.join(rig.dataDir, k), JSON.stringify({ prompt: PROMPT })] } })).perSecond
const pgb = (accounts: number, clients: number) => async () => (await runPgbench('pgbench', { socketDir: rig.socketDir, directory: rig.dataDir, prompt: PROMPT, accounts, clients, threads: Math.min(2, clients), seconds })).perSecond
for (let r = 0; r < rounds; r++) {
  await measure('many', wrk('k200', 64))
  await measure('pgb many', pgb(200, 4))
  await measure('hot', wrk('k1', 64))
  await measure('pgb hot', pgb(1, 4))
}
const { faults } = await verifyLedger(rig.database())
console.log('faults', faults.length)
