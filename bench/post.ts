import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withClient } from '@wombat/database'
import { verifyLedger } from '@wombat/ledger'
import { makeAccounts } from './accounts.ts'
import type { BenchOptions } from './options.ts'
import { runPgbench } from './pgbench.ts'
import { findProgram } from './programs.ts'
import { openRig, type Rig } from './rig.ts'
import { interleave } from './rounds.ts'
import { atLeast, atMost, printTable, type Row } from './table.ts'
import { runWrk } from './wrk.ts'

const ACCOUNTS = 200
const CLIENTS = 64
const PROMPT = 'A quiet harbour at dawn with fishing boats, mist over the water and gulls above the masts'

/** POST on many accounts, on one, and from one client, against pgbench with the same charge on the same tables. */
export async function benchPost(options: BenchOptions): Promise<void> {
  const wrk = await findProgram('wrk')
  const pgbench = await findProgram('pgbench')
  if (wrk === undefined) {
    return
  }
  await using rig = await openRig(options)
  await using server = await rig.startServer('api')
  const keys = await makeAccounts(rig.database(), ACCOUNTS)
  const [all, one] = await Promise.all([writeKeys(rig, 'many', keys), writeKeys(rig, 'one', keys.slice(0, 1))])

  const announcedShares: number[] = []
  const post = async (keysFile: string, connections: number) => {
    await settle(rig)
    const before = await countPosts(rig)
    const script = { name: 'post.lua', args: [keysFile, JSON.stringify({ prompt: PROMPT })] }
    const result = await runWrk(wrk, {
      url: `${server.url}/api/image-generation/`,
      connections,
      seconds: options.seconds,
      script,
    })
    const after = await countPosts(rig)
    announcedShares.push((after.announced - before.announced) / (after.accepted - before.accepted))
    return result
  }
  const charge = async (accounts: number, clients: number) => {
    await settle(rig)
    const { socketDir, dataDir: directory } = rig
    const sizes = { accounts, clients, threads: Math.min(2, clients), seconds: options.seconds }
    return pgbench === undefined
      ? { perSecond: Number.NaN, p50Ms: Number.NaN }
      : await runPgbench(pgbench, { socketDir, directory, prompt: PROMPT, ...sizes })
  }

  const figures = await interleave(
    {
      many: async () => (await post(all, CLIENTS)).perSecond,
      manyLimit: async () => (await charge(ACCOUNTS, 4)).perSecond,
      hot: async () => (await post(one, CLIENTS)).perSecond,
      hotLimit: async () => (await charge(1, 4)).perSecond,
      alone: async () => (await post(all, 1)).p50Ms,
      aloneLimit: async () => (await charge(ACCOUNTS, 1)).p50Ms,
    },
    options,
  )
  await settle(rig)
  const total = await countPosts(rig)
  const rows: Row[] = [
    {
      what: `POST, ${CLIENTS} clients, ${ACCOUNTS} accounts`,
      figure: figures.many,
      unit: '/s',
      limit: { what: 'pgbench, 4 clients', figure: figures.manyLimit },
      goals: { project: atLeast(1), issue: atLeast(0.8) },
    },
    {
      what: `POST, ${CLIENTS} clients, one account`,
      figure: figures.hot,
      unit: '/s',
      limit: { what: 'pgbench, 4 clients', figure: figures.hotLimit },
      goals: { project: atLeast(2.5), issue: atLeast(2) },
    },
    {
      what: 'POST, one client, p50',
      figure: figures.alone,
      unit: 'ms',
      limit: { what: 'pgbench, one client', figure: figures.aloneLimit },
      goals: { project: atMost(3) },
    },
    { what: 'announced when a round ends, in the worst round', figure: Math.min(...announcedShares) * 100, unit: '%' },
    {
      what: 'announced in the end; the rest is left to the sweep',
      figure: (total.announced / total.accepted) * 100,
      unit: '%',
    },
  ]
  printTable('POST: accepted, durable, announced to the queue; no worker runs', rows)
  const { faults } = await verifyLedger(rig.database())
  console.log(
    `\nLedger afterwards: ${faults.length === 0 ? 'every balance adds up' : JSON.stringify(faults.slice(0, 3))}`,
  )
}

async function writeKeys(rig: Rig, name: string, keys: readonly string[]): Promise<string> {
  const file = path.join(rig.dataDir, `keys-${name}`)
  await writeFile(file, `${keys.join('\n')}\n`)
  return file
}

/** Waits until the queue has been told everything, and starts each round from a checkpoint. */
async function settle(rig: Rig): Promise<void> {
  await withClient(rig.databaseUrl, async (client) => {
    for (let quiet = 0; quiet < 5; ) {
      await sleep(20)
      const { rows } = await client.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'wombat queue' AND state <> 'idle'`,
      )
      quiet = rows.length === 0 ? quiet + 1 : 0
    }
    await client.query('CHECKPOINT')
  })
}

/** Images that POSTs have made, not pgbench, and those that the queue knows of. */
async function countPosts(rig: Rig): Promise<{ accepted: number; announced: number }> {
  return await withClient(rig.databaseUrl, async (client) => {
    const { rows } = await client.query(
      `SELECT (SELECT count(*) FROM bullmq.job)::int AS announced,
              (SELECT count(*) FROM requests WHERE key_id <> account_id)::int AS accepted`,
    )
    return rows[0]
  })
}
