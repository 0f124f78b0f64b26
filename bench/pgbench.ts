import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runProgram } from './programs.ts'
import { median } from './rounds.ts'

/**
 * The charge of one POST as one statement: balance, entry, request, image, over our own tables with all their indexes
 * and constraints, with ids and texts as long as a POST's. What our way of charging is measured by.
 */
const CHARGE = `\\set account random(1, :accounts)
WITH ids AS MATERIALIZED (
  SELECT gen_random_uuid() AS request_id, 'v2-' || substr(md5(random()::text), 1, 9) || '-' || substr(md5(random()::text), 1, 9) AS image_id),
charged AS (
  UPDATE accounts SET balance = balance - 1
  WHERE id = ('00000000-0000-4000-8000-' || lpad(:account::text, 12, '0'))::uuid AND balance >= 1 AND disabled_at IS NULL
  RETURNING id, balance),
entry AS (
  INSERT INTO ledger_entries (account_id, kind, amount, balance_after, ref)
  SELECT c.id, 'charge', -1, c.balance, ids.image_id FROM charged c, ids),
request AS (
  INSERT INTO requests (id, account_id, key_id, model, quality, style, is_style_given, width, height, prompt, is_enhanced,
                        final_prompt, alt, is_alt_wanted, reference_images)
  SELECT ids.request_id, c.id, c.id, 'gpt-image-2', 'fast', 'photo', false, 1024, 1024, '{prompt}', true,
         '{prompt}, in the style of a photograph', 'A picture of {prompt}', false, '{}'
  FROM charged c, ids)
INSERT INTO images (id, request_id, account_id, position, model, is_original_preserved, announce_at, deadline_at)
SELECT ids.image_id, ids.request_id, c.id, 0, 'gpt-image-2', false, now() + interval '5 seconds', now() + interval '24 hours'
FROM charged c, ids;
`

export interface PgbenchRun {
  readonly socketDir: string
  /** For the script and the log of each statement. */
  readonly directory: string
  readonly clients: number
  readonly threads: number
  /** The accounts 1 to n are charged, each as often as the others. */
  readonly accounts: number
  readonly seconds: number
  readonly prompt: string
}

export async function runPgbench(pgbench: string, run: PgbenchRun): Promise<{ perSecond: number; p50Ms: number }> {
  const script = path.join(run.directory, 'charge.sql')
  await writeFile(script, CHARGE.replaceAll('{prompt}', run.prompt))
  const prefix = path.join(run.directory, 'pgbench')
  const isLogged = run.clients === 1
  const output = await runProgram(
    pgbench,
    [
      ...['-n', '-M', 'prepared', '-f', script, '-c', String(run.clients), '-j', String(run.threads)],
      ...['-D', `accounts=${run.accounts}`, '-T', String(run.seconds)],
      ...(isLogged ? ['-l', `--log-prefix=${prefix}`] : []),
      ...['-h', run.socketDir, '-U', 'wombat', 'wombat'],
    ],
    { env: { PGPORT: '5432', PGSSLMODE: 'disable' } },
  )
  const perSecond = Number(/tps = ([\d.]+)/.exec(output)?.[1])
  if (!(perSecond > 0) || /number of failed transactions: [1-9]/.test(output)) {
    throw new Error(`pgbench failed:\n${output}`)
  }
  return { perSecond, p50Ms: isLogged ? await readP50(run.directory) : Number.NaN }
}

/** The third column of each line is the time of one statement in microseconds. */
async function readP50(directory: string): Promise<number> {
  const times: number[] = []
  for (const name of await readdir(directory)) {
    if (/^pgbench\.\d+/.test(name)) {
      const text = await readFile(path.join(directory, name), 'utf8')
      times.push(...text.split('\n').flatMap((line) => (line === '' ? [] : [Number(line.split(' ')[2]) / 1000])))
      await rm(path.join(directory, name))
    }
  }
  return median(times)
}
