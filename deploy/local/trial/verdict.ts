import { createHash } from 'node:crypto'
import { openDatabase, withClient } from '@wombat/database'
import { openStore, readConfig, verifyStore } from '@wombat/engine'
import type { Cluster } from '../cluster.ts'
import { type Delivery, priceOf, type Trouble } from './orders.ts'
import { runCommand } from './run-command.ts'

/** What database, commands and addresses say afterwards, and each contradiction in a sentence. */
export interface Verdict {
  readonly lines: readonly string[]
  readonly faults: readonly string[]
}

export interface Claim {
  readonly orders: number
  /** Those that got their picture. */
  readonly deliveries: readonly Delivery[]
  readonly credits: number
  readonly troubles: readonly Trouble[]
  readonly taken: readonly StepTaken[]
}

export interface StepTaken {
  readonly name: string
  readonly atMs: number
  /** When the part did its work again. */
  readonly endMs: number
}

const PARALLEL = 8
/** Objects that no row names are only called so after an hour, in which a writer may still name them. Nobody writes here. */
const LATER_MS = 2 * 3_600_000

/** What is there already would be counted with the trial's own. */
export async function assertEmpty(databaseUrl: string): Promise<void> {
  const { requests } = await readBooks(databaseUrl)
  if (requests > 0) {
    throw new Error('A trial wants an empty database: name another --data-dir, or none.')
  }
}

/** What nobody may notice: a restart of a part of Wombat, and a new configuration of nginx. */
const SEAMLESS = /^(no step|restart (api|worker|scheduler|nginx))/

export async function judge(cluster: Cluster, claim: Claim): Promise<Verdict> {
  const { orders, deliveries, credits, troubles, taken } = claim
  const faults: string[] = []
  const mustBe = (what: string, found: unknown, wanted: unknown) => {
    if (found !== wanted) {
      faults.push(`${what}: ${String(found)}, and it should be ${String(wanted)}`)
    }
  }
  mustBe('clients that got their picture', deliveries.length, orders)
  const price = priceOf(orders)
  const books = await readBooks(cluster.databaseUrl)
  mustBe('requests', books.requests, orders)
  mustBe('charges', books.charges, orders)
  mustBe('credits charged', books.charged, price)
  mustBe('refunds', books.refunds, 0)
  mustBe('balance', books.balance, credits - price)
  mustBe('images', books.states, `ready ${orders}`)
  mustBe('attempts that nobody has closed', books.open, 0)
  const repeats = (await readRepeats(cluster.databaseUrl)).map((atMs) => nameStep(taken, atMs))
  for (const step of repeats.filter((one) => SEAMLESS.test(one))) {
    faults.push(`a picture was made once more during: ${step}`)
  }
  for (const { cause, during } of troubles.filter((trouble) => SEAMLESS.test(trouble.during))) {
    faults.push(`a client met "${cause}" during: ${during}`)
  }

  const ledger = await runCommand(['ledger', 'verify'], cluster.env)
  mustBe('exit code of wombat ledger verify', ledger.code, 0)
  const store = await runCommand(['store', 'verify', '--deep'], cluster.env)
  mustBe('exit code of wombat store verify --deep', store.code, 0)
  const objects = await compareStore(cluster)
  mustBe('objects in the store', objects.objects, orders)
  faults.push(...objects.unnamed.map((key) => `no row names the object ${key}`))
  const addresses = await readAgain(deliveries)
  faults.push(...addresses)

  return {
    faults,
    lines: [
      `pictures delivered      ${deliveries.length} of ${orders}, each whole and as large as ordered; ${deliveries.length - addresses.length} again afterwards`,
      `charges, refunds        ${books.charges} for ${books.requests} requests, ${books.refunds}`,
      `balance                 ${books.balance} = ${credits} - ${price}`,
      `images                  ${books.states}`,
      `pictures made again     ${repeats.length}${list(repeats)}`,
      `attempts                ${books.attempts}`,
      `wombat ledger verify    ${ledger.output.split('\n').at(-1)}`,
      `wombat store verify     ${store.output.split('\n').slice(-2).join(' ')}`,
      `objects, without a row  ${objects.objects}, ${objects.unnamed.length}`,
      `calls tried again       ${troubles.length}${list(troubles.map(({ during, cause }) => `${during}: ${cause}`))}`,
    ],
  }
}

const BOOKS = `SELECT
  (SELECT count(*) FROM requests)::int AS requests,
  (SELECT count(*) FROM ledger_entries WHERE kind = 'charge')::int AS charges,
  (SELECT coalesce(-sum(amount), 0) FROM ledger_entries WHERE kind = 'charge')::int AS charged,
  (SELECT count(*) FROM ledger_entries WHERE kind = 'refund')::int AS refunds,
  (SELECT balance FROM accounts WHERE is_bootstrap) AS balance,
  (SELECT string_agg(status || ' ' || n, ', ' ORDER BY status)
   FROM (SELECT status, count(*) AS n FROM images GROUP BY 1) s) AS states,
  (SELECT count(*) FROM attempts WHERE finished_at IS NULL)::int AS open,
  (SELECT string_agg(concat_ws(' ', route, outcome, failure, n), ', ')
   FROM (SELECT route, outcome, failure, count(*) AS n FROM attempts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) a) AS attempts`

async function readBooks(databaseUrl: string) {
  const [books] = await withClient(databaseUrl, async (client) => (await client.query(BOOKS)).rows)
  return books
}

/** When the calls began whose pictures were lost, if they were made: the upstream was asked for them once more. */
const REPEATS = `SELECT started_at FROM (
    SELECT started_at, outcome, lead(id) OVER (PARTITION BY image_id ORDER BY id) AS next FROM attempts
  ) a WHERE outcome IN ('done', 'unknown') AND next IS NOT NULL ORDER BY started_at`

async function readRepeats(databaseUrl: string): Promise<number[]> {
  const rows = await withClient(databaseUrl, async (client) => (await client.query(REPEATS)).rows)
  return rows.map(({ started_at: startedAt }) => Number(startedAt))
}

/** Longer than a call takes. */
const CALL_MS = 15_000

/** What broke a call that began then: the end of a worker soon after, or else the step that was under way, or the next one. */
function nameStep(taken: readonly StepTaken[], atMs: number): string {
  const isWorkersEnd = (step: StepTaken) =>
    step.name.includes('worker') && step.atMs >= atMs && step.atMs < atMs + CALL_MS
  return (taken.find(isWorkersEnd) ?? taken.find(({ endMs }) => endMs >= atMs))?.name ?? 'no step'
}

/** Each with how often it is there, a line each. */
function list(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) {
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts].map(([word, count]) => `\n                        ${count} × ${word}`).join('')
}

/** Without the hour of grace of the command. */
async function compareStore({ databaseUrl, env }: Cluster): Promise<{ objects: number; unnamed: string[] }> {
  const db = openDatabase({ url: databaseUrl, poolSize: 2, applicationName: 'wombat trial', onError: () => {} })
  const store = openStore(readConfig({ ...env }), env.DATA_DIR ?? '')
  try {
    const report = await verifyStore(db, store, {
      isDeep: false,
      stop: new AbortController().signal,
      onProgress: () => {},
      now: Date.now() + LATER_MS,
    })
    return { objects: report.objects, unnamed: report.unnamed.map(({ objectKey }) => objectKey) }
  } finally {
    await store.close()
    await db.close()
  }
}

/** Asks every address once more: the bytes must be those that its client got. */
async function readAgain(deliveries: readonly Delivery[]): Promise<string[]> {
  const faults: string[] = []
  const rest = [...deliveries]
  const look = async () => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      const fault = await findFault(next).catch((error: unknown) => `can't be read: ${String(error)}`)
      if (fault !== undefined) {
        faults.push(`${next.url} ${fault}`)
      }
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, look))
  return faults
}

async function findFault({ url, sha256 }: Delivery): Promise<string | undefined> {
  const answer = await fetch(url)
  const found = createHash('sha256')
    .update(new Uint8Array(await answer.arrayBuffer()))
    .digest('hex')
  if (answer.status !== 200) {
    return `answers ${answer.status}`
  }
  // What was delivered as keep-alive has comments in it that the stored picture has not.
  const isSame = found === sha256 || answer.headers.get('etag') === `"${found}"`
  return isSame ? undefined : 'answers with other bytes than its client got'
}
