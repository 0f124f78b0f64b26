import { readFileSync } from 'node:fs'
import { newImageId } from '@wombat/contract'
import { withClient } from '@wombat/database'
import { migrateQueue, openPostgresQueue } from '@wombat/queue'
import { openRig } from './rig.ts'

await using rig = await openRig({ profileDir: undefined })
await migrateQueue(rig.databaseUrl)
const queue = await openPostgresQueue({ url: rig.databaseUrl, applicationName: 'q', onError: console.error })
await queue.announce('synthetic', [{ imageId: newImageId(), fence: 0 }])
const pids = (
  await withClient(rig.databaseUrl, (c) => c.query(`select pid from pg_stat_activity where application_name='q'`))
).rows.map((r: { pid: number }) => r.pid)
const cpu = () =>
  pids.reduce(
    (s: number, pid: number) => s + Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6,
    0,
  )
for (let r = 0; r < 3; r++)
  for (const n of [1, 5, 20, 60, 250]) {
    const calls = Math.ceil(1500 / n)
    const a = cpu(),
      u = process.cpuUsage(),
      t = performance.now()
    for (let i = 0; i < calls; i++)
      await queue.announce(
        'synthetic',
        Array.from({ length: n }, () => ({ imageId: newImageId(), fence: 0 })),
      )
    const d = process.cpuUsage(u)
    console.log(
      `batch ${n}: pg ${(((cpu() - a) * 1000) / calls / n).toFixed(0)} us/job, node ${((d.user + d.system) / calls / n).toFixed(0)} us/job, wall ${((performance.now() - t) / calls).toFixed(2)} ms/call`,
    )
  }
await queue.close()
