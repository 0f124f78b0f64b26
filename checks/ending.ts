import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Database } from '@wombat/database'
import { verifyLedger } from '@wombat/ledger'
import { until } from '@wombat/testing'
import { countStates, decode, order, pathOf, query } from './image-tools.ts'
import type { Answer, SendOptions } from './send.ts'

/** What the functions below need of a test server, wherever it runs. */
interface Server {
  readonly databaseUrl: string
  readonly db: Database
  readonly accountId: string
  post(body: unknown, options?: SendOptions): Promise<Answer>
  get(pathOrUrl: string, init?: RequestInit): Promise<Answer>
  balance(accountId?: string): Promise<number>
}

/** Orders many images, four to a POST, and answers their ids. */
export async function orderMany(
  server: Server,
  count: number,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<string[]> {
  const sizes = Array.from({ length: Math.ceil(count / 4) }, (_, index) => Math.min(4, count - 4 * index))
  const orders = await Promise.all(sizes.map((numImages) => order(server, { ...fields, numImages })))
  return orders.flat()
}

/** Writes down every change of state from now on, by a trigger: what the rows themselves don't tell afterwards. */
export async function recordTransitions(databaseUrl: string): Promise<void> {
  await query(databaseUrl, 'CREATE TABLE transitions (image_id text, before text, after text)')
  await query(
    databaseUrl,
    `CREATE FUNCTION record_transition() RETURNS trigger LANGUAGE plpgsql AS
     'BEGIN INSERT INTO public.transitions VALUES (NEW.id, OLD.status, NEW.status); RETURN NEW; END'`,
  )
  await query(
    databaseUrl,
    `CREATE TRIGGER record_transition AFTER UPDATE OF status ON images FOR EACH ROW
     WHEN (OLD.status <> NEW.status OR NEW.status IN ('ready', 'failed')) EXECUTE FUNCTION record_transition()`,
  )
}

export async function untilReady(server: Server, count: number, timeoutMs = 30_000): Promise<void> {
  const what = `${count} images are ready`
  await until(async () => ((await countStates(server.databaseUrl)).ready ?? 0) >= count, { timeoutMs, what }).catch(
    async (error: unknown) => {
      throw new Error(`states ${JSON.stringify(await countStates(server.databaseUrl))}`, { cause: error })
    },
  )
}

/**
 * All that must hold when the dust has settled: each image is ready and was so once, charged once and not refunded,
 * the ledger agrees with itself, and every address gives a whole picture.
 */
export async function assertAllDelivered(
  server: Server,
  ids: readonly string[],
  options = { credits: 1000 },
): Promise<void> {
  assert.deepEqual(await countStates(server.databaseUrl), { ready: ids.length })
  const endings = await query(server.databaseUrl, `SELECT image_id FROM transitions WHERE after IN ('ready', 'failed')`)
  assert.equal(endings.length, ids.length, 'each image came to its end once')
  const entries = await query(
    server.databaseUrl,
    `SELECT kind, count(*)::int AS n FROM ledger_entries WHERE kind <> 'grant' GROUP BY kind`,
  )
  assert.deepEqual(
    entries.map((row) => ({ ...row })),
    [{ kind: 'charge', n: ids.length }],
  )
  assert.equal(await server.balance(), options.credits - ids.length)
  assert.deepEqual((await verifyLedger(server.db)).faults, [])
  // Many pictures are the same to the byte: what was decoded once need not be again.
  const good = new Set<string>()
  for (const id of ids) {
    const { status, headers, bytes } = await server.get(pathOf(id))
    assert.equal(status, 200)
    const hash = createHash('sha256').update(bytes).digest('hex')
    assert.equal(headers.get('etag'), `"${hash}"`)
    if (!good.has(hash)) {
      assert.deepEqual(await decode(bytes), { format: 'jpeg', width: 1024, height: 1024 })
      good.add(hash)
    }
  }
}
