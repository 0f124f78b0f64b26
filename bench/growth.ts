import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { migrate, withClient } from '@wombat/database'
import { loadManyImages } from '@wombat/testing'
import type { BenchOptions } from './options.ts'
import { runPgbench } from './pgbench.ts'
import { findProgram } from './programs.ts'
import { openRig, type Rig } from './rig.ts'
import { median } from './rounds.ts'
import { printTable } from './table.ts'

const ACCOUNTS = 1_000
const FEW = 1_000
/** A claim that is undone, so that the next one finds the same. */
const CLAIM = `SELECT image_id FROM claim_image('gpt-image-2', NULL, 'bench', 30, '[{"id": "bench", "most": 100000, "per_minute": null}]')`

/**
 * A trial: what many images weigh, what charging and claiming cost beside an almost empty database, and whether all
 * statements of a server still use their indexes (checks/growth.test.ts).
 */
export async function tryGrowth(options: BenchOptions): Promise<void> {
  await using small = await openRig({ profileDir: undefined })
  await using large = await openRig({ profileDir: undefined })
  await load(small, FEW)
  await load(large, options.images)
  await printSizes(large)
  // Before the charges, which leave a long queue.
  const child = spawn(process.execPath, ['--test', 'checks/growth.test.ts'], {
    stdio: 'inherit',
    env: { ...process.env, WOMBAT_GROWTH_URL: large.databaseUrl },
  })
  const [code] = await once(child, 'exit')
  process.exitCode = Number(code)
  const pgbench = await findProgram('pgbench')
  const charges: [number, number][] = []
  for (let round = 0; pgbench !== undefined && round < options.rounds; round += 1) {
    charges.push([await charge(small, pgbench, options), await charge(large, pgbench, options)])
  }
  const side = (which: 0 | 1) => median(charges.map((pair) => pair[which]))
  const beside = (figure: number) => ({ what: `with ${FEW} images`, figure })
  printTable(`With ${options.images} images`, [
    ...(charges.length === 0 ? [] : [{ what: 'charges', figure: side(1), unit: '/s', limit: beside(side(0)) }]),
    { what: 'a claim, median', figure: await timeClaims(large), unit: 'ms', limit: beside(await timeClaims(small)) },
  ])
}

async function load(rig: Rig, images: number): Promise<void> {
  await migrate(rig.databaseUrl)
  const startMs = performance.now()
  await loadManyImages(rig.databaseUrl, { images, accounts: ACCOUNTS, queued: 10, generating: 0 })
  console.log(`loaded ${images} images in ${((performance.now() - startMs) / 1000).toFixed(0)} s`)
}

async function charge(rig: Rig, pgbench: string, { seconds }: BenchOptions): Promise<number> {
  const { socketDir, dataDir: directory } = rig
  const load = { clients: 4, threads: 1, accounts: ACCOUNTS, seconds, prompt: 'a lighthouse in the fog' }
  return (await runPgbench(pgbench, { socketDir, directory, ...load })).perSecond
}

async function timeClaims(rig: Rig): Promise<number> {
  return await withClient(rig.databaseUrl, async (client) => {
    const times: number[] = []
    for (let turn = 0; turn < 200; turn += 1) {
      await client.query('BEGIN')
      const startMs = performance.now()
      await client.query(CLAIM)
      times.push(performance.now() - startMs)
      await client.query('ROLLBACK')
    }
    return median(times)
  })
}

async function printSizes(rig: Rig): Promise<void> {
  const { rows } = await withClient(rig.databaseUrl, (client) =>
    client.query(
      `SELECT relname, round(reltuples)::float8 AS n, pg_relation_size(oid)::float8 AS heap, pg_indexes_size(oid)::float8 AS indexes
       FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples > 1000
       ORDER BY pg_total_relation_size(oid) DESC`,
    ),
  )
  console.table(
    rows.map(({ relname: table, n, heap, indexes }) => ({
      table,
      rows: n,
      'bytes a row': Math.round(heap / n),
      'of indexes': Math.round(indexes / n),
      MB: Math.round((heap + indexes) / 1e6),
    })),
  )
}
