import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdRequest } from './held-request.ts'
import { makeJpeg, makeUnfinished, storeImage } from './images.ts'
import { openRig } from './rig.ts'
const N = Number(process.env.N ?? 2000)
await using rig = await openRig({ profileDir: undefined })
const child = fork(`${process.env.TREE ?? '/work/main'}/bench/server-child.ts`, [], { cwd: rig.dataDir, execArgv: ['--expose-gc', '--heapsnapshot-signal=SIGUSR2', ...(process.env.FLAGS?.split(' ') ?? [])], stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: { PATH: process.env.PATH ?? '', PORT: '0', SYNTHETIC: 'always', IMAGE_SOFT_WAIT_SECONDS: '600', WAITERS_PER_ADDRESS: '1000000', MAX_WAITERS: '1000000', DATABASE_URL: rig.databaseUrl, DATA_DIR: rig.dataDir } })
const [{ url }] = (await once(child, 'message')) as [{ url: string }]
const port = Number(new URL(url).port)
const jpeg = await makeJpeg(20000)
const ask = async (k: string) => { child.send(k); const [m] = await once(child, 'message'); return m as { rssBytes: number } }
const hold = async (ids: string[], n: number) => { const held = []; for (let i = 0; i < n; i += 200) held.push(...(await Promise.all(Array.from({ length: Math.min(200, n - i) }, (_, j) => holdRequest({ port, path: `/api/image/${ids[(i + j) % ids.length]}.jpg`, source: `127.0.0.${2 + ((i + j) % 8)}` }))))); return held }
for (let r = 0; r < 3; r++) { const ids = await makeUnfinished(rig.database(), 10); const h = await hold(ids, 200); await sleep(300); await Promise.all(ids.map(async (id) => (await storeImage(rig, id, jpeg)).publish())); await Promise.all(h.map((x) => x.answered)); h.forEach((x) => x.cut()) }
const smaps = () => readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8').match(/(Rss|Anonymous|Private_Dirty):\s+\d+/g)?.join(' ')

function readSnap(f: string) {
  const s = JSON.parse(readFileSync(rig.dataDir + '/' + f, 'utf8'))
  const nf = s.snapshot.meta.node_fields as string[], types = s.snapshot.meta.node_types[0] as string[]
  const agg = new Map<string, [number, number]>()
  for (let i = 0; i < s.nodes.length; i += nf.length) { const t = types[s.nodes[i + nf.indexOf('type')]]!, nm = s.strings[s.nodes[i + nf.indexOf('name')]] as string; const k = t + ' ' + (t === 'string' || t === 'concatenated string' || t === 'number' ? '' : nm.slice(0, 60)); const e = agg.get(k) ?? [0, 0]; e[0]++; e[1] += s.nodes[i + nf.indexOf('self_size')]; agg.set(k, e) }
  return agg
}
const snap = async () => { child.kill('SIGUSR2'); await sleep(9000) }
if (process.env.SNAP) await snap()
const b = await ask('memory'); console.log(smaps())
const ids = await makeUnfinished(rig.database(), 100)
await hold(ids, N); for (;;) { const m = (await ask('now')) as unknown as { waiters: number }; if (m.waiters >= N) break; await sleep(100) }
await sleep(1500)
const a = await ask('memory'); console.log(smaps())
console.log('KB per waiter', (a.rssBytes - b.rssBytes) / N / 1024)
if (process.env.SNAP) {
  await snap()
  const files = readdirSync(rig.dataDir).filter((x) => x.endsWith('.heapsnapshot')).sort()
  const [A, B] = files.slice(-2).map(readSnap)
  let tot = 0
  const d = [...B!].map(([k, [n, z]]) => [k, n - (A!.get(k)?.[0] ?? 0), z - (A!.get(k)?.[1] ?? 0)] as const)
  for (const [, , z] of d) tot += z
  for (const [k, n, z] of d.sort((x, y) => y[2] - x[2]).slice(0, 60)) console.log((z / N).toFixed(0).padStart(6), 'B', (n / N).toFixed(2).padStart(7), k)
  console.log('total', tot / N)
}
child.send('stop'); await once(child, 'exit')
